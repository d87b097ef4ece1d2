import { Command } from 'commander';
import { demoCommand } from './demo.ts';
import { generateCommand } from './generate.ts';
import type { Host } from './host.ts';
import { keyCommand } from './key.ts';
import { migrateCommand } from './migrate.ts';
import { nodeCommand } from './node.ts';
import { schedulersCommand } from './schedulers.ts';
import { startCommand } from './start.ts';
import { statsCommand } from './stats.ts';
import { tenantCommand } from './tenant.ts';

/** The `darkroom` command with all its subcommands. */
export function createProgram(host: Host, version: string): Command {
  const program = new Command('darkroom')
    .description('Stable Diffusion for many tenants, on GPUs of your own.')
    .version(version)
    // What stands after `node add` is an option of `add`, whatever `node` itself takes by that name.
    .enablePositionalOptions()
    .showHelpAfterError('Run with --help to see what there is.');
  for (const command of [
    startCommand,
    demoCommand,
    generateCommand,
    schedulersCommand,
    nodeCommand,
    migrateCommand,
    tenantCommand,
    keyCommand,
    statsCommand,
  ]) {
    program.addCommand(command(host).copyInheritedSettings(program));
  }
  return program;
}

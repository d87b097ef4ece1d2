import { Command, InvalidArgumentError } from 'commander';
import { createSandbox } from '../support/sandbox.ts';
import { runChaos } from './run-chaos.ts';
import { toText } from './summary.ts';

interface Flags {
  readonly jobs: number;
  readonly minutes: number;
  readonly seed: string;
  readonly hostKills: number;
  readonly keep?: boolean;
  readonly json?: boolean;
}

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());

await new Command('chaos')
  .description(
    'Runs a platform of many processes, kills, stops and ends them while clients order pictures, and looks ' +
      'whether anything was lost, charged twice, drawn twice or shown to somebody else.',
  )
  .option('--jobs <number>', 'at least so many jobs', parseWhole, 100)
  .option(
    '--minutes <number>',
    'keep on killing for so long (default: as long as the plan takes)',
    parseMinutes,
    0,
  )
  .option('--seed <text>', 'what all choices are made from', '1')
  .option(
    '--host-kills <number>',
    'also kill the process that hosts Postgres and a node, so often',
    parseWhole,
    0,
  )
  .option('--keep', "keep the data folder and the processes' logs, also of a run without violations")
  .option('--json', 'print one line of JSON instead of the text')
  .action(async (flags: Flags) => {
    const say = (text: string) => process.stderr.write(`chaos: ${text}\n`);
    await using stack = new AsyncDisposableStack();
    const sandbox = await createSandbox();
    say(`seed ${flags.seed}, in ${sandbox.path}`);
    let isClean = false;
    stack.defer(async () => {
      if (isClean && !flags.keep) await sandbox[Symbol.asyncDispose]();
      else say(`logs and data are left in ${sandbox.path}`);
    });
    const summary = await runChaos({ ...flags, sandbox, signal: interrupted.signal, say });
    process.stdout.write(flags.json ? `${JSON.stringify(summary)}\n` : toText(summary));
    isClean = summary.violations.length === 0;
    process.exitCode = isClean ? 0 : 1;
  })
  .parseAsync();

function parseWhole(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('A whole number is needed.');
  return Number(text);
}

function parseMinutes(text: string): number {
  const minutes = Number(text);
  if (!(minutes >= 0 && minutes <= 24 * 60)) throw new InvalidArgumentError('From 0 to 1440 minutes.');
  return minutes;
}

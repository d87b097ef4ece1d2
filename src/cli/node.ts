import { Command, InvalidArgumentError } from 'commander';
import { readConfig } from '../config/index.ts';
import { openBundles } from '../platform/bundles/index.ts';
import { createLogger } from '../platform/telemetry/index.ts';
import type { Host } from './host.ts';
import { interruptible, untilAborted } from './interruptible.ts';
import { nodeAddCommand, nodeListCommand, nodeRemoveCommand } from './node-fleet.ts';
import { printJson } from './output.ts';
import { DEFAULT_MODELS, parsePort } from './start-options.ts';
import { tellFaults } from './tell-faults.ts';

interface NodeFlags {
  readonly host: string;
  readonly port: number;
  readonly models: string;
  readonly workers: number;
  readonly threads: number;
  readonly queue: number;
  readonly json?: boolean;
}

/** `darkroom node`: the embedded inference node, until Ctrl-C; and the commands on nodes of others. */
export function nodeCommand(host: Host): Command {
  return (
    new Command('node')
      // What stands after `add` is the option of `add`, whatever `node` itself takes by that name.
      .enablePositionalOptions()
      .description('serve model bundles over the KServe v2 protocol, on the CPU, until Ctrl-C')
      .option('--host <address>', 'where to listen; the protocol has no authentication', '127.0.0.1')
      .option('--port <number>', 'where to listen; 0 picks a free port', parsePort, 0)
      .option('--models <dir>', 'the folder of model bundles to serve', DEFAULT_MODELS)
      .option('--workers <number>', 'calls that run at the same time', parseCount, 2)
      .option('--threads <number>', 'threads within one call', parseCount, 1)
      .option('--queue <number>', 'requests of one model that may wait; more are refused', parseCount, 256)
      .option('--json', 'when ready, print one line of JSON: {node, models}')
      .action((flags: NodeFlags) =>
        interruptible(host, async (signal) => {
          const { startNode } = await import('../node/index.ts');
          const { config } = readConfig(host.environment);
          const logger = createLogger(config.logLevel ?? 'info');
          using _ = tellFaults(host, logger);
          const { host: address, port, workers, threads, queue } = flags;
          await using node = await startNode({
            bundles: await openBundles(flags.models),
            host: address,
            port,
            workers,
            threads,
            waitingMax: queue,
            logger,
          });
          const { address: url, models } = node;
          if (flags.json) printJson(host.stdout, { node: url, models });
          else host.stdout.write(`The node serves ${models.join(', ')} at ${url}. Ctrl-C stops it.\n`);
          await untilAborted(signal);
          return 0;
        }),
      )
      .addCommand(nodeAddCommand(host))
      .addCommand(nodeListCommand(host))
      .addCommand(nodeRemoveCommand(host))
  );
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new InvalidArgumentError('A whole number from 1 is needed.');
  return count;
}

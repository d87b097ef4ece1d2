import { Command } from 'commander';
import type { PlatformStats } from '../domains/operations/index.ts';
import { systemClock } from '../kernel/clock.ts';
import { connect } from './connect.ts';
import type { Host } from './host.ts';
import type { InstallationFlags } from './installation.ts';
import { addInstallationOptions, openRunning } from './installation.ts';
import { interruptible } from './interruptible.ts';
import { CommandError, printJson } from './output.ts';
import { statsTable } from './stats-table.ts';

interface StatsFlags extends InstallationFlags {
  readonly api?: string;
  readonly key?: string;
  readonly json?: boolean;
  readonly watch?: boolean;
}

const WATCH_EVERY_MS = 1_000;

/** `darkroom stats`: how the platform is doing, asked of its API or of its database. */
export function statsCommand(host: Host): Command {
  const command = new Command('stats').description('show how the platform is doing, over all its processes');
  return addInstallationOptions(command)
    .option('--api <url>', 'ask this API (default: DARKROOM_API; without it the database of --data is asked)')
    .option('--key <key>', 'an API key with the scope PLATFORM_READ (default: DARKROOM_API_KEY)')
    .option('--json', 'print one line of JSON')
    .option('--watch', 'print again every second until Ctrl-C')
    .action((flags: StatsFlags) => interruptible(host, (signal) => showStats(host, flags, signal)));
}

async function showStats(host: Host, flags: StatsFlags, signal: AbortSignal): Promise<number> {
  await using source = await openSource(host, flags);
  let isAgain = false;
  do {
    const stats = await source.stats();
    if (flags.json) printJson(host.stdout, stats);
    else host.stdout.write(statsTable(stats, { isOver: isAgain && host.stdout.isTTY === true }));
    isAgain = true;
  } while (flags.watch && (await isTimeAgain(signal)));
  return 0;
}

function isTimeAgain(signal: AbortSignal): Promise<boolean> {
  return systemClock.sleep(WATCH_EVERY_MS, signal).then(
    () => true,
    () => false,
  );
}

interface Source extends AsyncDisposable {
  stats(): Promise<PlatformStats>;
}

async function openSource(host: Host, flags: StatsFlags): Promise<Source> {
  if (flags.api !== undefined && flags.data !== undefined) {
    throw new CommandError('--api asks an API and --data a database: give one of them.');
  }
  // A folder that is named is meant, whatever API the environment has for other commands.
  const api = flags.api ?? (flags.data === undefined ? host.environment['DARKROOM_API'] : undefined);
  if (api) {
    const client = connect(host, { ...flags, api });
    return { stats: () => client.platformStats(), [Symbol.asyncDispose]: async () => undefined };
  }
  const running = await openRunning(host, flags);
  return {
    stats: async () => (await running.report()).stats,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

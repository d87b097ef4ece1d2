import { Command, InvalidArgumentError } from 'commander';
import { FAULT_POINTS } from '../../src/kernel/fault-points.ts';
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

/** 128 and the number of SIGINT, as shells have it. */
const EXIT_INTERRUPTED = 130;

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
  .addHelpText(
    'after',
    `
Without --minutes it takes some minutes, with them so long and some minutes more: the plan is carried out in any case.
Progress goes to stderr. Exit status: 0 when every promise held, 1 when one did not or the run failed, and then
data and logs are left; ${EXIT_INTERRUPTED} when it was interrupted.

Points that processes die or stop at: ${FAULT_POINTS.join(', ')}.
The promises and how they are looked at: docs/chaos.md`,
  )
  .action(async (flags: Flags) => {
    try {
      process.exitCode = (await run(flags)) ? 0 : 1;
    } catch (error) {
      if (!interrupted.signal.aborted) throw error;
      process.exitCode = EXIT_INTERRUPTED;
    }
  })
  .parseAsync();

/** Whether every promise held. */
async function run(flags: Flags): Promise<boolean> {
  const say = (text: string) => process.stderr.write(`chaos: ${text}\n`);
  const sandbox = await createSandbox();
  let isClean = false;
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    // Of a run that was interrupted nobody wants to see anything.
    const isWanted = flags.keep ?? !(isClean || interrupted.signal.aborted);
    if (isWanted) say(`logs and data are left in ${sandbox.path}`);
    else await sandbox[Symbol.asyncDispose]();
  });
  say(`seed ${flags.seed}, in ${sandbox.path}`);
  const summary = await runChaos({ ...flags, sandbox, signal: interrupted.signal, say });
  process.stdout.write(flags.json ? `${JSON.stringify(summary)}\n` : toText(summary));
  isClean = summary.violations.length === 0;
  return isClean;
}

function parseWhole(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('A whole number is needed.');
  return Number(text);
}

function parseMinutes(text: string): number {
  const minutes = Number(text);
  if (!(minutes >= 0 && minutes <= 24 * 60)) throw new InvalidArgumentError('From 0 to 1440 minutes.');
  return minutes;
}

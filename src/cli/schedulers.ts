import { Command } from 'commander';
import type { Scheduler } from '../client/index.ts';
import { alignColumns } from './columns.ts';
import type { ApiFlags } from './connect.ts';
import { connect } from './connect.ts';
import { toFlag } from './flag-values.ts';
import type { Host } from './host.ts';
import { interruptible } from './interruptible.ts';
import { printJson, withoutControls } from './output.ts';

interface SchedulersFlags extends ApiFlags {
  readonly json?: boolean;
}

/** `darkroom schedulers`: what can stand behind `generate --scheduler`. */
export function schedulersCommand(host: Host): Command {
  return new Command('schedulers')
    .description('show the schedulers, what each reads, and what AUTOMATIC1111 calls it')
    .option('--api <url>', "the API's endpoint (default: DARKROOM_API)")
    .option('--key <key>', 'an API key (default: DARKROOM_API_KEY)')
    .option('--json', 'print one line of JSON: all that the API tells of them')
    .action((flags: SchedulersFlags) =>
      interruptible(host, async () => {
        const schedulers = await connect(host, flags).schedulers();
        if (flags.json) printJson(host.stdout, schedulers);
        else host.stdout.write(schedulersTable(schedulers));
        return 0;
      }),
    );
}

const HEADINGS = [
  'SCHEDULER',
  'A1111',
  'STEPS',
  'COST OF 20',
  'NOISE',
  'SIGMA SCHEDULES',
  'OPTIONS',
  'SUITS',
];

/** The schedulers for a person, one a line below a line of headings. */
export function schedulersTable(schedulers: readonly Scheduler[]): string {
  return alignColumns([HEADINGS, ...schedulers.map((each) => cellsOf(each).map(withoutControls))]);
}

function cellsOf(scheduler: Scheduler): readonly string[] {
  const { name, usefulSteps, evaluations, isStochastic, sigmaSchedules, options, suits } = scheduler;
  return [
    toFlag(name),
    shortNames(scheduler).join(', ') || '-',
    `${usefulSteps.min}-${usefulSteps.max}`,
    `${evaluations}`,
    isStochastic ? 'fresh' : '-',
    sigmaSchedules.map(toFlag).join(','),
    options.map((option) => toOption(option.name)).join(',') || '-',
    suits,
  ];
}

/** Without those that only add a schedule to another: which ones it can follow has a column of its own. */
function shortNames({ aliases }: Scheduler): readonly string[] {
  const plain = aliases.filter(
    ({ sigmaSchedule, samplerOptions }) =>
      sigmaSchedule === 'DEFAULT' && samplerOptions.timestepSpacing === null,
  );
  return plain.map(({ name }) => name);
}

/** `sChurn` as `s-churn`, the option of `generate`. */
function toOption(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

import type { PredictionType } from '../kernel/manifest.ts';
import { PREDICTION_TYPES } from '../kernel/manifest.ts';
import type { SchedulerAlias } from './a1111-names.ts';
import { aliasesOf } from './a1111-names.ts';
import type { SchedulerName, SigmaSchedule } from './names.ts';
import { SIGMA_SCHEDULES } from './names.ts';
import { planSchedule } from './plan-schedule.ts';
import type { SamplerOption } from './sampler-options.ts';
import { OPTION_DOMAINS, READERS, SAMPLER_OPTIONS } from './sampler-options.ts';
import { schedulerOf } from './schedulers/registry.ts';
import { STABLE_DIFFUSION } from './validation/family-rules.ts';
import type { UsefulSteps } from './validation/scheduler-rules.ts';
import { SCHEDULER_RULES } from './validation/scheduler-rules.ts';
import { stepRange } from './validation/step-range.ts';

/** An option that a scheduler reads. */
export interface OptionDescription {
  readonly name: SamplerOption;
  /** True of an option that is a list of numbers; `min` and `max` are then those of each. */
  readonly isList: boolean;
  /** What it may be, where it is one of a few. */
  readonly values?: readonly (string | number)[];
  readonly min?: number;
  readonly max?: number;
  /** What it is when it is left out; null where the model's record decides, and for a list. */
  readonly default: string | number | null;
}

/** All that a user may want to know of a scheduler before choosing it. Sentences are for people. */
export interface SchedulerDescription {
  readonly name: SchedulerName;
  readonly diffusersClass: string;
  readonly sigmaSchedules: readonly SigmaSchedule[];
  /** What the models that it runs predict. */
  readonly predictionTypes: readonly PredictionType[];
  readonly options: readonly OptionDescription[];
  /** AUTOMATIC1111's names for it. */
  readonly aliases: readonly SchedulerAlias[];
  /** Whether a run draws noise after its start when no option says otherwise. */
  readonly isStochastic: boolean;
  /** Whether only models that were distilled for it draw pictures with it. */
  readonly needsDistilled: boolean;
  /** How many steps are worth while. */
  readonly steps: UsefulSteps;
  readonly suits: string;
  /** What validation refuses with it, a sentence each. */
  readonly refuses: readonly string[];
}

/** What there is to know of a scheduler, from the tables that it is run and validated by. */
export function describeScheduler(name: SchedulerName): SchedulerDescription {
  const { sigmaSchedules, predictionTypes } = schedulerOf(name);
  const { diffusersClass, suits, distillation, steps } = SCHEDULER_RULES[name];
  return {
    name,
    diffusersClass,
    sigmaSchedules,
    predictionTypes,
    options: SAMPLER_OPTIONS.filter((option) => READERS[option].includes(name)).map(describeOption),
    aliases: aliasesOf(name),
    isStochastic: standardPlan(name, steps.min).evaluations.some(({ draws }) => draws > 0),
    needsDistilled: distillation !== null,
    steps,
    suits,
    refuses: refusalsOf(name),
  };
}

/**
 * U-Net evaluations of a picture in `steps` steps, from noise to the end. The plan has them; its length grows evenly
 * with the steps, so that three short ones tell of any.
 * Throws a `RangeError` when `steps` is no whole number from 1 on; whether so many are accepted is `validate`'s business.
 */
export function evaluationsOf(name: SchedulerName, steps: number): number {
  if (!Number.isInteger(steps) || steps < 1) throw new RangeError(`A run cannot have ${steps} steps.`);
  const { one, two, three } = shortRuns(name);
  // A single step is a case of its own: PNDM has nothing to take twice.
  return steps === 1 ? one : two + (steps - 2) * (three - two);
}

interface ShortRuns {
  readonly one: number;
  readonly two: number;
  readonly three: number;
}

// A document may ask for tens of thousands of counts; each scheduler's three plans are laid out for the first.
const measured = new Map<SchedulerName, ShortRuns>();

function shortRuns(name: SchedulerName): ShortRuns {
  const known = measured.get(name);
  if (known) return known;
  const count = (steps: number) => standardPlan(name, steps).evaluations.length;
  const runs = { one: count(1), two: count(2), three: count(3) };
  measured.set(name, runs);
  return runs;
}

function standardPlan(name: SchedulerName, steps: number) {
  return planSchedule(name, steps, { config: STABLE_DIFFUSION, sigmaSchedule: 'DEFAULT' });
}

function describeOption(name: SamplerOption): OptionDescription {
  const domain = OPTION_DOMAINS[name];
  switch (domain.kind) {
    case 'CHOICE':
      return { name, isList: false, values: domain.values, default: domain.default };
    case 'RANGE':
      return { name, isList: false, min: domain.min, max: domain.max, default: domain.default };
    case 'LIST':
      return { name, isList: true, min: domain.min, ...(domain.max && { max: domain.max }), default: null };
  }
}

function refusalsOf(name: SchedulerName): readonly string[] {
  const { sigmaSchedules, predictionTypes } = schedulerOf(name);
  const curves = SIGMA_SCHEDULES.filter((each) => !sigmaSchedules.includes(each));
  const predictions = PREDICTION_TYPES.filter((each) => !predictionTypes.includes(each));
  const lacksNoise = !READERS.zeroTerminalSnr.includes(name);
  return [
    ...(SCHEDULER_RULES[name].distillation === null ? [] : ['Models that were not distilled for it.']),
    ...(curves.length > 0 ? [`The sigma schedules ${inWords(curves)}.`] : []),
    ...(predictions.length > 0 ? [`Models that predict ${inWords(predictions)}.`] : []),
    ...(lacksNoise ? ['Models with a zero terminal SNR, which start from noise alone.'] : []),
    ...sigmaSchedules.flatMap((each) => refusedSteps(name, each)),
  ];
}

function refusedSteps(name: SchedulerName, sigmaSchedule: SigmaSchedule): readonly string[] {
  const { min, max } = stepRange(name, { config: STABLE_DIFFUSION, sigmaSchedule });
  const few = min > 1 ? [`fewer than ${min} steps, which end in noise`] : [];
  return [...few, `more than ${max} steps`].map((what) => `With ${sigmaSchedule}, ${what}.`);
}

function inWords(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}

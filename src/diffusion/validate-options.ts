import type { Finding, Subject } from './finding.ts';
import type { SchedulerName } from './names.ts';
import { unreadKnobs } from './plan-schedule.ts';
import type { SamplerOptions, SchedulerKnob } from './sampler-options.ts';
import { ALGORITHMS, READERS, SOLVER_ORDERS } from './sampler-options.ts';
import { TIMESTEP_SPACINGS } from './schedulers/config.ts';

// With these the first evaluation divides by the signal that is left, and with a zero terminal SNR none is.
const DIVIDE_BY_SIGNAL: ReadonlySet<SchedulerName> = new Set(['DDIM', 'DDPM', 'LCM', 'TCD']);

/** What is wrong with the options of a sampler, and with what the model's record asks of it. */
export function checkOptions(subject: Subject): readonly Finding[] {
  return [
    ...checkRead(subject),
    ...checkZeroSignal(subject),
    ...checkValues(subject),
    ...checkLists(subject),
  ];
}

function finding(
  code: 'OPTION_UNSUPPORTED' | 'OPTION_INVALID',
  field: SchedulerKnob,
  problem: Pick<Finding, 'message' | 'fix'>,
): Finding {
  const path = field === 'zeroTerminalSnr' ? 'scheduler' : field;
  return { code, severity: 'ERROR', field: [path], ...problem };
}

function checkRead({ schedulerConfig, settings, options }: Subject): readonly Finding[] {
  const { scheduler, sigmaSchedule } = settings;
  return unreadKnobs(scheduler, { config: schedulerConfig, sigmaSchedule, options }).map((knob) => {
    const message = `${scheduler} does not read ${knob}.`;
    const fix = `Use one of ${READERS[knob].join(', ')}, or leave it out.`;
    return finding('OPTION_UNSUPPORTED', knob, { message, fix });
  });
}

function checkZeroSignal({ schedulerConfig, settings: { scheduler } }: Subject): readonly Finding[] {
  const { zeroTerminalSnr, predictionType } = schedulerConfig;
  if (!zeroTerminalSnr || predictionType !== 'epsilon' || !DIVIDE_BY_SIGNAL.has(scheduler)) return [];
  const message = `${scheduler} cannot tell noise from noise alone: the model predicts epsilon at a zero terminal SNR.`;
  const fix = 'Use EULER_DISCRETE, or a model that predicts v.';
  return [finding('OPTION_UNSUPPORTED', 'zeroTerminalSnr', { message, fix })];
}

type Bounds = readonly [min: number, max: number];

const RANGES: Readonly<Record<'eta' | 'sChurn' | 'sNoise', Bounds>> = {
  eta: [0, 1],
  // Where a step's share of it saturates, for as many steps as there can be.
  sChurn: [0, 1000],
  sNoise: [0, 2],
};

const CHOICES = {
  timestepSpacing: TIMESTEP_SPACINGS,
  solverOrder: SOLVER_ORDERS,
  algorithm: ALGORITHMS,
} as const;

function checkValues({ options }: Subject): readonly Finding[] {
  const ranges = (['eta', 'sChurn', 'sNoise'] as const).flatMap((field) => {
    const value = options[field];
    const [min, max] = RANGES[field];
    if (value === undefined || (value >= min && value <= max)) return [];
    const message = `${field} must be a number from ${min} to ${max}, not ${value}.`;
    return [finding('OPTION_INVALID', field, { message, fix: `Use ${value > max ? max : min}.` })];
  });
  const choices = (['timestepSpacing', 'solverOrder', 'algorithm'] as const).flatMap((field) => {
    const value = options[field];
    const accepted: readonly (string | number)[] = CHOICES[field];
    if (value === undefined || accepted.includes(value)) return [];
    const message = `${field} cannot be ${value}.`;
    return [finding('OPTION_INVALID', field, { message, fix: `Use one of ${accepted.join(', ')}.` })];
  });
  return [...ranges, ...choices];
}

function checkLists({ schedulerConfig, settings: { sigmaSchedule }, options }: Subject): readonly Finding[] {
  const lists = (['timesteps', 'sigmas'] as const).filter((field) => options[field] !== undefined);
  return lists.flatMap((field) => {
    const problem =
      lists.length > 1 || sigmaSchedule !== 'DEFAULT' || options.timestepSpacing !== undefined
        ? 'One of timesteps, sigmas, timestepSpacing and a sigma schedule says how noise is taken away.'
        : listProblem(field, options, schedulerConfig.trainTimesteps);
    return problem === null
      ? []
      : [finding('OPTION_INVALID', field, { message: problem, fix: 'Mend the list.' })];
  });
}

function listProblem(
  field: 'timesteps' | 'sigmas',
  options: SamplerOptions,
  trainTimesteps: number,
): string | null {
  const list = options[field] ?? [];
  const isFalling = list.every((value, i) => i === 0 || value < (list[i - 1] ?? value));
  if (field === 'sigmas') {
    const isPositive = list.every((value, i) => value > 0 || (value === 0 && i === list.length - 1));
    return isFalling && isPositive && list.length > 1 ? null : 'sigmas must fall, from above 0 to 0 or more.';
  }
  const isTrained = list.every((value) => Number.isInteger(value) && value >= 0 && value < trainTimesteps);
  const isGood = isFalling && isTrained && list.length > 0;
  return isGood
    ? null
    : `timesteps must be whole numbers that fall, from at most ${trainTimesteps - 1} to 0 or more.`;
}

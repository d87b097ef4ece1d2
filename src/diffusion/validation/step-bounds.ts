import type { SchedulerName, SigmaSchedule } from '../names.ts';
import type { TimestepSpacing } from '../schedulers/config.ts';

/** Below `refused` steps a run ends in noise, below `warned` the picture suffers: always 1 <= refused <= warned. */
export interface StepBounds {
  readonly refused: number;
  readonly warned: number;
}

type Row = Readonly<Partial<Record<SigmaSchedule, readonly [refused: number, warned: number]>>>;

/**
 * How few steps are too few, by scheduler and sigma schedule: what `rehearse` measures of a perfect model, worst of
 * `leading` and `trailing` spacing. A test measures all of it again. A step is bad when a picture of strength 0.8
 * ends a quarter too strong or too weak, or one of strength 0.1 twice as strong; it is noise when the first ends at
 * more than 3.3 times its strength, or the second at 0.85, where what the run started from had 1.
 *
 * KDPM2 with BETA is refused below 5 whatever the spacing: it ends in noise under `linspace`, and near it elsewhere.
 * LCM and TCD are for models that answer otherwise than a denoiser; of theirs only what ends flat is in here.
 */
const STEPS: Readonly<Record<SchedulerName, Row>> = {
  DDIM: { DEFAULT: [1, 6] },
  DDPM: { DEFAULT: [1, 9], AYS: [1, 9] },
  PNDM: { DEFAULT: [3, 6] },
  LMS_DISCRETE: { DEFAULT: [1, 4], KARRAS: [1, 4], EXPONENTIAL: [1, 5], BETA: [1, 6] },
  EULER_DISCRETE: { DEFAULT: [1, 6], KARRAS: [1, 7], EXPONENTIAL: [1, 6], BETA: [1, 11], AYS: [1, 6] },
  EULER_ANCESTRAL_DISCRETE: { DEFAULT: [1, 9] },
  HEUN_DISCRETE: { DEFAULT: [1, 8], KARRAS: [1, 5], EXPONENTIAL: [1, 6], BETA: [1, 11], AYS: [3, 5] },
  DPM_SOLVER_MULTISTEP: { DEFAULT: [1, 5], KARRAS: [1, 3], EXPONENTIAL: [1, 3], BETA: [1, 6], AYS: [1, 4] },
  DPM_SOLVER_SINGLESTEP: { DEFAULT: [1, 5], KARRAS: [1, 6], EXPONENTIAL: [1, 6], BETA: [1, 11], AYS: [1, 5] },
  DPM_SOLVER_SDE: { DEFAULT: [1, 5], KARRAS: [1, 5], EXPONENTIAL: [1, 5], BETA: [1, 7] },
  KDPM2_DISCRETE: { DEFAULT: [1, 5], KARRAS: [1, 4], EXPONENTIAL: [1, 4], BETA: [5, 7] },
  KDPM2_ANCESTRAL_DISCRETE: { DEFAULT: [3, 19], KARRAS: [3, 7], EXPONENTIAL: [3, 8], BETA: [5, 17] },
  DEIS_MULTISTEP: { DEFAULT: [1, 5], KARRAS: [2, 4], EXPONENTIAL: [2, 5], BETA: [2, 8] },
  UNI_PC_MULTISTEP: { DEFAULT: [1, 5], KARRAS: [1, 3], EXPONENTIAL: [1, 3], BETA: [1, 14] },
  LCM: { DEFAULT: [1, 2], AYS: [1, 3] },
  TCD: { DEFAULT: [1, 2], AYS: [1, 3] },
  SA_SOLVER: { DEFAULT: [1, 4], KARRAS: [4, 12], EXPONENTIAL: [4, 10], BETA: [20, 36] },
};

/** Where `linspace`, which ends in a small last step and begins with a large one, wants more. */
const UNDER_LINSPACE: Readonly<Partial<Record<SchedulerName, Row>>> = {
  DDIM: { DEFAULT: [3, 7] },
  DDPM: { DEFAULT: [1, 10] },
  PNDM: { DEFAULT: [3, 7] },
  LMS_DISCRETE: { DEFAULT: [1, 5], KARRAS: [1, 6], EXPONENTIAL: [1, 6], BETA: [1, 9] },
  EULER_DISCRETE: { DEFAULT: [1, 7], EXPONENTIAL: [1, 7], BETA: [1, 14] },
  EULER_ANCESTRAL_DISCRETE: { DEFAULT: [1, 10] },
  HEUN_DISCRETE: { DEFAULT: [3, 9], KARRAS: [3, 6], EXPONENTIAL: [4, 7], BETA: [6, 14] },
  DPM_SOLVER_SDE: { BETA: [1, 11] },
  KDPM2_DISCRETE: { DEFAULT: [3, 5], KARRAS: [3, 5], EXPONENTIAL: [3, 5], BETA: [5, 11] },
  KDPM2_ANCESTRAL_DISCRETE: { DEFAULT: [4, 20], KARRAS: [4, 9], EXPONENTIAL: [4, 9], BETA: [9, 21] },
  SA_SOLVER: { DEFAULT: [1, 5] },
};

// Cut into a single part, `leading` and `linspace` give the lowest timestep, where the model takes the noise that a run
// starts from for a finished picture. The others divide by more than the steps, or have timesteps of their own.
const ONE_STEP_STARTS_LAST: ReadonlySet<SchedulerName> = new Set([
  'DDIM',
  'DDPM',
  'PNDM',
  'LMS_DISCRETE',
  'EULER_DISCRETE',
  'EULER_ANCESTRAL_DISCRETE',
  'HEUN_DISCRETE',
  'DPM_SOLVER_SDE',
  'KDPM2_DISCRETE',
  'KDPM2_ANCESTRAL_DISCRETE',
]);

/** The bounds of a scheduler with a sigma schedule that it can follow; none where it cannot. */
export function stepBounds(
  scheduler: SchedulerName,
  sigmaSchedule: SigmaSchedule,
  spacing: TimestepSpacing,
): StepBounds {
  const linspace = spacing === 'linspace' ? UNDER_LINSPACE[scheduler]?.[sigmaSchedule] : undefined;
  const [refused, warned] = linspace ?? STEPS[scheduler][sigmaSchedule] ?? [1, 1];
  const startsLast = spacing !== 'trailing' && sigmaSchedule !== 'AYS' && ONE_STEP_STARTS_LAST.has(scheduler);
  return { refused: startsLast ? Math.max(refused, 2) : refused, warned };
}

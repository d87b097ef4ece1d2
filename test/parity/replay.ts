import type { NormalSource, SchedulePlan, SchedulerName } from '../../src/diffusion/index.ts';
import { drawNormal, openTorchNormal } from '../../src/diffusion/index.ts';
import type { Scheduler } from '../../src/diffusion/schedulers/scheduler.ts';
import { FRAME_SIZE, maxAbs, maxError } from './recorded.ts';

// The seeds of test/parity/record/run_scheduler.py.
const SEED = 7n;
const STEP_SEED = 11n;
const EVALUATIONS_MAX = 60;

/** What every recorded run was given, whatever it asked: drawn here as it was there. */
const source = openTorchNormal(SEED);
const noise = drawNormal(source, FRAME_SIZE);
const clean = drawNormal(source, FRAME_SIZE);
const outputs = Array.from({ length: EVALUATIONS_MAX }, () => drawNormal(source, FRAME_SIZE));

/** Largest error of a step, as a share of its largest value. */
export const STEP_TOLERANCE = 1e-4;
// Square roots, powers and logarithms of torch and numpy are a few units in the last place apart from ours; what two
// kinds of processor record, up to eight after the rescaling to a zero terminal SNR.
const SIGMA_TOLERANCE = 12 * 2 ** -23;
// A fractional timestep is found through float32 logarithms, whose last digit is worth this much of a timestep.
const FRACTION_TOLERANCE = 2e-4;
// Where it is the difference of two nearly equal squares before that, it is worth ten times as much.
const JITTER_TOLERANCE = 2e-3;

export interface Timetable {
  readonly scheduler: SchedulerName;
  readonly timesteps: readonly number[];
  /** Null is infinite: noise alone. */
  readonly sigmas: readonly (number | null)[];
}

/**
 * How far a plan is from a recorded timetable: timesteps absolutely, and whole ones must be equal; noise levels
 * relatively, and an infinite one must be infinite.
 */
export function tableErrors({ evaluations }: SchedulePlan, recorded: Timetable) {
  const timesteps = evaluations.map(({ timestep }) => timestep);
  const ratios = evaluations.map(({ sigma }, i) => {
    const expected = recorded.sigmas[i] ?? Infinity;
    return sigma === expected ? 1 : sigma / expected;
  });
  const isJittering = recorded.scheduler === 'KDPM2_ANCESTRAL_DISCRETE';
  const fraction = isJittering ? JITTER_TOLERANCE : FRACTION_TOLERANCE;
  return {
    timesteps: maxError(timesteps, recorded.timesteps),
    timestepTolerance: recorded.timesteps.every(Number.isInteger) ? 0 : fraction,
    sigmas: maxError(
      ratios,
      ratios.map(() => 1),
    ),
    sigmaTolerance: isJittering ? JITTER_TOLERANCE : SIGMA_TOLERANCE,
  };
}

export interface Replay {
  readonly scheduler: Scheduler;
  readonly plan: SchedulePlan;
  readonly isWhole: boolean;
  /** Draws for stochastic steps; torch's own unless the recording has others. */
  readonly draw?: () => Float32Array;
}

/** The source of noise that the recording's generator was. */
function stepNoise(): () => Float32Array {
  const drawn: NormalSource = openTorchNormal(STEP_SEED);
  return () => drawNormal(drawn, FRAME_SIZE);
}

/**
 * Runs a plan as it was recorded and gives the largest error of each frame, as a share of its largest value:
 * first of what the model is given at first, then of the latents after every evaluation.
 */
export function errorsOf(
  { scheduler, plan, isWhole, draw = stepNoise() }: Replay,
  expected: (index: number) => Float32Array,
): readonly number[] {
  const latents = new Float32Array(FRAME_SIZE);
  if (isWhole) latents.set(noise.map((value) => value * plan.initSigma));
  else scheduler.addNoise(plan, 0, clean, noise, latents);
  const input = new Float32Array(FRAME_SIZE);
  scheduler.scaleInput(plan, 0, latents, input);

  let state = scheduler.start(plan, FRAME_SIZE);
  const frames = plan.evaluations.map(({ draws }, i) => {
    const output = outputs[i] ?? new Float32Array();
    const drawn = Array.from({ length: draws }, draw);
    state = scheduler.step(plan, i, state, { latents, output, noise: drawn }, latents);
    return latents.slice();
  });
  return [input, ...frames].map((frame, index) => maxError(frame, expected(index)) / maxAbs(expected(index)));
}

import { describe, expect, it } from 'vitest';
import type { SchedulerName, SchedulePlan, SigmaSchedule } from '../../src/diffusion/index.ts';
import { drawNormal, openTorchNormal } from '../../src/diffusion/index.ts';
import { schedulerOf } from '../../src/diffusion/schedulers/registry.ts';
import { maxAbs, maxError, readCases, readFloats, readSchedulerConfig } from './recorded.ts';

interface TimetableCase {
  readonly scheduler: SchedulerName;
  readonly sigmaSchedule: SigmaSchedule;
  readonly timestepSpacing: string;
  readonly steps: number;
  readonly initSigma: number;
  readonly timesteps: readonly number[];
  readonly sigmas: readonly number[];
}

interface TrajectoryCase extends TimetableCase {
  readonly predictionType: string;
  readonly offset: number;
}

const timetables = readCases<TimetableCase>('timetables.json');
const trajectories = readCases<TrajectoryCase>('trajectories.json');
const recorded = readFloats('trajectories.f32.gz');

const SIZE = 4 * 8 * 8;
// One unit in the last place of a float32 near 1: torch's own square root and power differ by that much.
const ULP = 2 ** -23;
// A Karras timestep is found through float32 logarithms, whose last digit is worth this much of a timestep.
const FRACTION_TOLERANCE = 2e-4;
const STEP_TOLERANCE = 1e-4;
// Where the recording takes the noise of stochastic steps from.
const STEP_SEED = 11n;

const NAME = '$scheduler $sigmaSchedule $timestepSpacing, $steps steps';

function planOf(each: TimetableCase, predictionType = 'epsilon') {
  const config = readSchedulerConfig({
    timestep_spacing: each.timestepSpacing,
    prediction_type: predictionType,
  });
  const scheduler = schedulerOf(each.scheduler);
  return { scheduler, plan: scheduler.plan(each.steps, { config, sigmaSchedule: each.sigmaSchedule }) };
}

const timestepsOf = ({ evaluations }: SchedulePlan) => evaluations.map(({ timestep }) => timestep);

/** How far a plan's tables are from the recorded ones: timesteps absolutely, noise levels relatively. */
function tableErrors(plan: SchedulePlan, each: TimetableCase) {
  const relative = plan.evaluations.map(({ sigma }, i) => sigma / (each.sigmas[i] ?? 0));
  const ones = relative.map(() => 1);
  return {
    timesteps: maxError(timestepsOf(plan), each.timesteps.slice(0, each.steps)),
    sigmas: maxError([...relative, plan.initSigma / each.initSigma], [...ones, 1]),
  };
}

/** Whole timesteps must be equal. */
function timestepTolerance({ timesteps }: TimetableCase): number {
  return timesteps.every(Number.isInteger) ? 0 : FRACTION_TOLERANCE;
}

describe('timetables', () => {
  it.each(timetables)(`are those of diffusers: ${NAME}`, (each) => {
    const { plan } = planOf(each);
    const errors = tableErrors(plan, each);

    expect(errors.timesteps).toBeLessThanOrEqual(timestepTolerance(each));
    expect(errors.sigmas).toBeLessThanOrEqual(ULP);
    expect(plan.evaluations).toHaveLength(each.steps);
    // After an entry too many there is no telling where the last step that counts would have led.
    if (each.timesteps.length === each.steps)
      expect(plan.finalSigma).toBeCloseTo(each.sigmas.at(-1) ?? Number.NaN, 6);
  });

  it('leave out the evaluation at timestep -1 that diffusers has for some counts under trailing', () => {
    const phantoms = timetables.filter((each) => each.timesteps.at(-1) === -1);

    expect(phantoms.map(({ scheduler, steps }) => [scheduler, steps])).toEqual([
      ['EULER_DISCRETE', 61],
      ['DPM_SOLVER_MULTISTEP', 61],
      ['DDIM', 61],
      ['EULER_ANCESTRAL_DISCRETE', 61],
    ]);
    for (const each of phantoms)
      expect(each.timesteps).toHaveLength(planOf(each).plan.evaluations.length + 1);
  });
});

describe('trajectories', () => {
  it.each(trajectories)(`follow diffusers at every step: ${NAME}, $predictionType`, (each) => {
    const { scheduler, plan } = planOf(each, each.predictionType);
    expect(tableErrors(plan, each).sigmas).toBeLessThanOrEqual(ULP);
    const frame = (start: number) => recorded.subarray(start, start + SIZE);

    const latents = frame(0).map((value) => value * plan.initSigma);
    const input = new Float32Array(SIZE);
    scheduler.scaleInput(plan, 0, latents, input);
    expect(maxError(input, frame(each.offset))).toBeLessThanOrEqual(1e-6 * maxAbs(input));

    const source = openTorchNormal(STEP_SEED);
    let state = scheduler.start(plan, SIZE);
    for (const [i, { draws }] of plan.evaluations.entries()) {
      const output = frame(SIZE * (1 + i));
      const noise = Array.from({ length: draws }, () => drawNormal(source, SIZE));
      state = scheduler.step(plan, i, state, { latents, output, noise }, latents);
      const expected = frame(each.offset + SIZE * (1 + i));
      expect(maxError(latents, expected)).toBeLessThanOrEqual(STEP_TOLERANCE * maxAbs(expected));
    }
  });
});

import { afterAll, describe, expect, it } from 'vitest';
import type { SchedulerName, SigmaSchedule } from '../../src/diffusion/index.ts';
import { SCHEDULER_NAMES } from '../../src/diffusion/index.ts';
import { planSchedule } from '../../src/diffusion/plan-schedule.ts';
import { schedulerOf } from '../../src/diffusion/schedulers/registry.ts';
import type { PredictionType } from '../../src/kernel/manifest.ts';
import { FRAME_SIZE, readCases, readFloats, readFrames, readSchedulerConfig } from './recorded.ts';
import { errorsOf, STEP_TOLERANCE, tableErrors } from './replay.ts';

interface Combination {
  readonly scheduler: SchedulerName;
  readonly sigmaSchedule: SigmaSchedule;
  readonly predictionType: PredictionType;
  readonly steps: number;
  readonly strength: number;
}

interface Recorded extends Combination {
  readonly initSigma: number;
  readonly timesteps: readonly number[];
  readonly sigmas: readonly number[];
  /** Index of the first frame. */
  readonly frame: number;
  /** Index of the first pair of normals, where the run drew from a Brownian tree. */
  readonly normal?: number;
}

interface Refused extends Combination {
  readonly refused: string;
}

const grid = readCases<Recorded | Refused>('grid.json');
const isRefused = (each: Recorded | Refused): each is Refused => 'refused' in each;
const refused = grid.filter(isRefused);
const recorded = grid.filter((each): each is Recorded => !isRefused(each));
const frames = readFrames('grid.i16.gz');
const normals = readFloats('grid-normals.f32.gz');

function planOf({ scheduler, sigmaSchedule, predictionType, steps, strength }: Combination) {
  // The grid leaves the spacing to each scheduler's habit.
  const config = readSchedulerConfig({ timestep_spacing: undefined, prediction_type: predictionType });
  return {
    scheduler: schedulerOf(scheduler),
    plan: planSchedule(scheduler, steps, { config, sigmaSchedule, strength }),
  };
}

/** The normals behind a recorded Brownian tree, one after the other. */
function treeNoise({ normal }: Recorded): { readonly draw?: () => Float32Array } {
  if (normal === undefined) return {};
  let next = normal;
  return {
    draw() {
      next += 1;
      return normals.subarray((next - 1) * FRAME_SIZE, next * FRAME_SIZE);
    },
  };
}

const NAME = '$scheduler $sigmaSchedule $predictionType, $steps steps from $strength';

describe('every combination', () => {
  it('is there: 17 schedulers, and 900 combinations of which diffusers runs 816', () => {
    expect(new Set(grid.map(({ scheduler }) => scheduler))).toEqual(new Set(SCHEDULER_NAMES));
    expect([grid.length, recorded.length, refused.length]).toEqual([900, 816, 84]);
  });

  it.each(recorded)(`has the timetable of diffusers: ${NAME}`, (each) => {
    const { plan } = planOf(each);
    const errors = tableErrors(plan, each);
    expect(errors.timesteps).toBeLessThanOrEqual(errors.timestepTolerance);
    expect(errors.sigmas).toBeLessThanOrEqual(errors.sigmaTolerance);
    if (each.strength === 1) expect(plan.initSigma).toBeCloseTo(each.initSigma, 5);
  });

  it.each(recorded)(`follows diffusers at every step: ${NAME}`, (each) => {
    const run = { ...planOf(each), isWhole: each.strength === 1, ...treeNoise(each) };
    const errors = errorsOf(run, (index) => frames(each.frame + index));
    expect(errors).toHaveLength(each.timesteps.length + 1);
    expect(Math.max(...errors)).toBeLessThanOrEqual(STEP_TOLERANCE);
  });

  it.each(refused)(`is refused where diffusers refuses it: ${NAME}`, ({ scheduler, predictionType }) => {
    expect(schedulerOf(scheduler).predictionTypes).not.toContain(predictionType);
  });

  afterAll(() => {
    process.stdout.write(
      `Parity with diffusers: ${recorded.length} combinations run, ${refused.length} refused.\n`,
    );
  });
});

import { describe, expect, it } from 'vitest';
import { planSchedule } from '../../src/diffusion/plan-schedule.ts';
import { schedulerOf } from '../../src/diffusion/schedulers/registry.ts';
import type { SamplerOptions, SchedulerName, SigmaSchedule } from '../../src/diffusion/index.ts';
import type { PredictionType } from '../../src/kernel/manifest.ts';
import { readCases, readFrames, readSchedulerConfig } from './recorded.ts';
import { errorsOf, STEP_TOLERANCE, tableErrors } from './replay.ts';

interface Recorded {
  readonly group: string;
  readonly scheduler: SchedulerName;
  readonly sigmaSchedule: SigmaSchedule;
  readonly predictionType: PredictionType;
  readonly steps: number;
  readonly strength?: number;
  readonly options?: SamplerOptions;
  readonly zeroTerminalSnr?: boolean;
  readonly initSigma: number;
  readonly timesteps: readonly number[];
  readonly sigmas: readonly (number | null)[];
  readonly frame: number;
}

const recorded = readCases<Recorded>('options.json');
const frames = readFrames('options.i16.gz');

function planOf({ scheduler, sigmaSchedule, steps, strength = 1, ...each }: Recorded) {
  const config = readSchedulerConfig({
    timestep_spacing: undefined,
    prediction_type: each.predictionType,
    rescale_betas_zero_snr: each.zeroTerminalSnr ?? false,
  });
  return planSchedule(scheduler, steps, { config, sigmaSchedule, strength, options: each.options ?? {} });
}

const NAME = '$scheduler $sigmaSchedule $predictionType, $steps steps from $strength, $options';

describe('the options of a scheduler', () => {
  it.each(recorded)(`are heard as diffusers hears them: ${NAME}`, (each) => {
    const plan = planOf(each);
    const errors = tableErrors(plan, each);
    expect(errors.timesteps).toBeLessThanOrEqual(errors.timestepTolerance);
    expect(errors.sigmas).toBeLessThanOrEqual(errors.sigmaTolerance);
    if (each.strength === undefined) expect(plan.initSigma / each.initSigma).toBeCloseTo(1, 6);

    const run = { scheduler: schedulerOf(each.scheduler), plan, isWhole: (each.strength ?? 1) === 1 };
    const steps = errorsOf(run, (index) => frames(each.frame + index));
    expect(Math.max(...steps)).toBeLessThanOrEqual(STEP_TOLERANCE);
  });
});

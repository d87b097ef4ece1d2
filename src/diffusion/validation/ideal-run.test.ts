import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readManifest, readSchedulerConfig } from '../../../test/parity/recorded.ts';
import { hasNonFinite } from '../kernels.ts';
import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { SCHEDULER_NAMES, SIGMA_SCHEDULES } from '../names.ts';
import { drawNormal, openTorchNormal } from '../noise/torch-normal.ts';
import { planSchedule } from '../plan-schedule.ts';
import type { SamplerOptions } from '../sampler-options.ts';
import { ALGORITHMS, SOLVER_ORDERS } from '../sampler-options.ts';
import type { SchedulerConfig } from '../schedulers/config.ts';
import { TIMESTEP_SPACINGS } from '../schedulers/config.ts';
import { toLevel } from '../schedulers/prediction.ts';
import { schedulerOf } from '../schedulers/registry.ts';
import { resolveSettings } from '../settings.ts';
import type { JudgedSettings } from './finding.ts';
import { validate } from './validate.ts';

const manifest = { ...readManifest(), family: 'UNKNOWN' };
// Enough that a standard deviation is known to 2 %.
const SIZE = 2048;
const PICTURE = 0.8;

interface Run {
  readonly config: SchedulerConfig;
  readonly settings: JudgedSettings;
  readonly options: SamplerOptions;
}

/** Draws pictures of strength 0.8 with real noise and a model that makes no mistake; their values at the end. */
function drawIdeally({ config, settings, options }: Run): Float32Array {
  const { scheduler: name, sigmaSchedule, steps, strength = 1 } = settings;
  const scheduler = schedulerOf(name);
  const plan = planSchedule(name, steps, { config, sigmaSchedule, options, strength });
  const source = openTorchNormal(11n);
  const start = drawNormal(source, SIZE);
  const latents = start.map((value) => value * plan.initSigma);
  if (strength < 1) {
    const clean = drawNormal(source, SIZE).map((value) => value * PICTURE);
    scheduler.addNoise(plan, 0, clean, start, latents);
  }
  const isPreserving = plan.initSigma === 1;
  let state = scheduler.start(plan, SIZE);
  for (const [i, { sigma, draws }] of plan.evaluations.entries()) {
    const { alpha, std } = toLevel(sigma);
    const output = latents.map((value) => {
      const seen = isPreserving ? value : value * alpha;
      // The mean of N(0, 0.8^2) given one of its values with noise on it.
      const denoised = (alpha * PICTURE ** 2 * seen) / ((alpha * PICTURE) ** 2 + std ** 2);
      const noise = (seen - alpha * denoised) / std;
      return { epsilon: noise, v_prediction: alpha * noise - std * denoised, sample: denoised }[
        config.predictionType
      ];
    });
    const noise = Array.from({ length: draws }, () => drawNormal(source, SIZE));
    state = scheduler.step(plan, i, state, { latents, output, noise }, latents);
  }
  return latents;
}

function deviation(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
}

const configs = fc
  .record({
    timestep_spacing: fc.constantFrom(...TIMESTEP_SPACINGS),
    prediction_type: fc.constantFrom(...PREDICTION_TYPES),
    steps_offset: fc.constantFrom(0, 1),
    set_alpha_to_one: fc.boolean(),
    rescale_betas_zero_snr: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean()),
    // The classes' own, for a family that nobody knows.
    beta_schedule: fc.constantFrom('scaled_linear', 'scaled_linear', 'linear'),
  })
  .map((record) => readSchedulerConfig(record));

/** Any of `values`, or left out. */
const maybe = <T>(values: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, values);

const falling = (values: fc.Arbitrary<number>) =>
  fc.uniqueArray(values, { minLength: 3, maxLength: 20 }).map((list) => list.toSorted((a, b) => b - a));

const optionSets: fc.Arbitrary<SamplerOptions> = fc
  .record({
    timestepSpacing: maybe(fc.constantFrom(...TIMESTEP_SPACINGS)),
    timesteps: maybe(falling(fc.integer({ min: 0, max: 999 }))),
    sigmas: maybe(falling(fc.double({ min: 0, max: 20, noNaN: true }))),
    eta: maybe(fc.double({ min: 0, max: 1, noNaN: true })),
    sChurn: maybe(fc.double({ min: 0, max: 100, noNaN: true })),
    sNoise: maybe(fc.double({ min: 0, max: 2, noNaN: true })),
    solverOrder: maybe(fc.constantFrom(...SOLVER_ORDERS)),
    algorithm: maybe(fc.constantFrom(...ALGORITHMS)),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));

const runs: fc.Arbitrary<Run> = fc
  .record({
    config: configs,
    scheduler: fc.constantFrom(...SCHEDULER_NAMES),
    sigmaSchedule: fc.constantFrom('DEFAULT' as const, ...SIGMA_SCHEDULES),
    steps: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 1, max: 60 }) },
      fc.integer({ min: 61, max: 300 }),
    ),
    strength: maybe(fc.double({ min: 0.05, max: 1, noNaN: true })),
    options: optionSets,
    // Of the options, those that the scheduler reads: few sets would pass otherwise.
    kept: fc.constantFrom('ALL', 'NONE', 'ONE'),
  })
  .map(({ config, scheduler, sigmaSchedule, strength, options, kept, steps }) => {
    const chosen = keep(options, kept);
    const listed = chosen.timesteps?.length ?? (chosen.sigmas && chosen.sigmas.length - 1);
    const input = { prompt: 'an apple', seed: 0n, scheduler, sigmaSchedule, steps: listed ?? steps };
    const settings = resolveSettings(manifest, input);
    return {
      config,
      settings: strength === undefined ? settings : { ...settings, strength },
      options: chosen,
    };
  });

function keep(options: SamplerOptions, kept: 'ALL' | 'NONE' | 'ONE'): SamplerOptions {
  if (kept === 'ALL') return options;
  return kept === 'NONE' ? {} : Object.fromEntries(Object.entries(options).slice(0, 1));
}

const findingsOf = ({ config, settings, options }: Run) =>
  validate({ ...manifest, predictionType: config.predictionType }, config, settings, options);

describe('what validation has nothing to say against', () => {
  it('ends in a picture of the right contrast when the model makes no mistake, whatever the options', () => {
    fc.assert(
      fc.property(runs, (run) => {
        fc.pre(findingsOf(run).length === 0);
        const end = deviation(drawIdeally(run)) / PICTURE;
        expect(end).toBeGreaterThan(0.7);
        expect(end).toBeLessThan(1.3);
      }),
      { numRuns: 120, maxSkipsPerRun: 1000 },
    );
  });
});

describe('what validation lets run', () => {
  it('never ends in NaN, and never in what is more noise than picture', () => {
    fc.assert(
      fc.property(runs, (run) => {
        fc.pre(findingsOf(run).every(({ severity }) => severity === 'WARNING'));
        const end = drawIdeally(run);
        expect(hasNonFinite(end)).toBe(false);
        expect(deviation(end) / PICTURE).toBeLessThan(3.5);
      }),
      { numRuns: 120, maxSkipsPerRun: 1000 },
    );
  });
});

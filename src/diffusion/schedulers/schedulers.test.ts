import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PredictionType } from '../../kernel/manifest.ts';
import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import type { Answer } from '../guidance.ts';
import { guidedAnswer } from '../guidance.ts';
import type { SchedulerName } from '../names.ts';
import { SCHEDULER_NAMES } from '../names.ts';
import { planSchedule } from '../plan-schedule.ts';
import { stepRange } from '../validation/step-range.ts';
import { torchNormal } from '../noise/torch-normal.ts';
import type { SchedulerConfig } from './config.ts';
import { parseSchedulerConfig, TIMESTEP_SPACINGS } from './config.ts';
import type { Level } from './prediction.ts';
import { toLevel } from './prediction.ts';
import { schedulerOf } from './registry.ts';
import type { Evaluation, SchedulePlan, SchedulerState } from './scheduler.ts';
import { at } from './scheduler.ts';
import { trainingSigmas } from './sigmas.ts';

const SIZE = 32;

const configs: fc.Arbitrary<SchedulerConfig> = fc
  .record({
    timestep_spacing: fc.constantFrom(...TIMESTEP_SPACINGS),
    prediction_type: fc.constantFrom(...PREDICTION_TYPES),
    steps_offset: fc.constantFrom(0, 1),
    set_alpha_to_one: fc.boolean(),
  })
  .map((record) =>
    parseSchedulerConfig({
      ...record,
      num_train_timesteps: 1000,
      beta_start: 0.00085,
      beta_end: 0.012,
      beta_schedule: 'scaled_linear',
    }),
  );

const runs = fc
  .record({
    name: fc.constantFrom(...SCHEDULER_NAMES),
    config: configs,
    seed: fc.bigInt({ min: 0n, max: 99n }),
  })
  .chain((run) => {
    const { name, config, seed } = run;
    const schedules = fc.constantFrom(...schedulerOf(name).sigmaSchedules);
    return schedules.map((sigmaSchedule) => ({ name, config, seed, sigmaSchedule }));
  });

const stepCounts = fc.integer({ min: 2, max: 30 });

interface Unfinished {
  readonly latents: Float32Array;
  readonly state: SchedulerState;
}

/** A run whose latents and state are replaced step by step. */
interface Moving {
  latents: Float32Array;
  state: SchedulerState;
}

function start(name: SchedulerName, plan: SchedulePlan, seed: bigint): Moving {
  const latents = torchNormal(seed, SIZE).map((value) => value * plan.initSigma);
  return { latents, state: schedulerOf(name).start(plan, SIZE) };
}

interface Run extends Unfinished {
  readonly from: number;
  readonly to: number;
  readonly output: (latents: Float32Array, i: number) => Float32Array;
}

/** Denoises from `from` to `to`, the answer to evaluation i being `output(latents, i)`. */
function denoise(name: SchedulerName, plan: SchedulePlan, run: Run): Unfinished {
  let { state } = run;
  for (let i = run.from; i < run.to; i += 1) {
    const output = run.output(run.latents, i);
    const noise = Array.from({ length: at(plan.evaluations, i).draws }, (_, draw) => freshNoise(i, draw));
    state = schedulerOf(name).step(plan, i, state, { latents: run.latents, output, noise }, run.latents);
  }
  return { latents: run.latents, state };
}

/** Noise for a stochastic step, the same for the same evaluation. */
const freshNoise = (i: number, draw: number) => torchNormal(BigInt(2000 + 10 * i + draw), SIZE);

/** Answers of no meaning, the same for the same evaluation. */
const noiseAt = (_: Float32Array, i: number) => torchNormal(BigInt(1000 + i), SIZE);

/** One half of such an answer. */
const halfAt = (i: number, half: number) => torchNormal(BigInt(3000 + 10 * i + half), SIZE);

/** What a perfect model answers about latents that are `clean` with noise on them. */
function answerKnowing(clean: Float32Array, type: PredictionType, level: Level) {
  return (latents: Float32Array) =>
    latents.map((x, k) => {
      const target = clean[k] ?? 0;
      const noise = (x - level.alpha * target) / level.std;
      return { epsilon: noise, v_prediction: level.alpha * noise - level.std * target, sample: target }[type];
    });
}

/** N; 2N - 1 of those that look ahead, whose last step has nowhere to look; N + 1 of PNDM, but for a single step. */
function evaluationsOf(name: SchedulerName, steps: number): number {
  if (name === 'PNDM') return steps === 1 ? 1 : steps + 1;
  const { evaluationsPerStep } = schedulerOf(name);
  return steps * evaluationsPerStep - (evaluationsPerStep - 1);
}

describe('every scheduler', () => {
  it('has noise levels that fall to 0, for every number of steps that it accepts', () => {
    const share = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }));
    fc.assert(
      fc.property(runs, share, ({ name, config, sigmaSchedule }, of) => {
        const request = { config, sigmaSchedule };
        const { min, max } = stepRange(name, request);
        const steps = min + Math.round(of * (max - min));
        const { evaluations, finalSigma } = planSchedule(name, steps, request);
        expect(evaluations).toHaveLength(evaluationsOf(name, steps));
        const levels = evaluations.map(({ sigma }) => sigma);
        const wholeSteps = levels.filter((_, i) => i % schedulerOf(name).evaluationsPerStep === 0);
        // PNDM takes its first step twice, and KDPM2A's midpoints are the next levels but for rounding.
        const isFalling = (sigma: number, i: number) => i === 0 || sigma < at(wholeSteps, i - 1);
        expect(wholeSteps.every((sigma, i) => isFalling(sigma, i) || (name === 'PNDM' && i === 2))).toBe(
          true,
        );
        expect(levels.every((sigma, i) => i === 0 || sigma <= at(levels, i - 1) * (1 + 1e-6))).toBe(true);
        // Some stop at the lowest level of training, or at a curve's last one.
        expect([0, trainingSigmas(config)[0], levels.at(-1)]).toContain(finalSigma);
        expect(finalSigma).toBeLessThanOrEqual(levels.at(-1) ?? 0);
        const isTrained = ({ timestep }: Evaluation) => timestep >= 0 && timestep < config.trainTimesteps;
        expect(evaluations.every(isTrained)).toBe(true);
      }),
      { numRuns: 120 },
    );
  });

  it('takes up a checkpoint where it was left: the latents are those of an undisturbed run', () => {
    fc.assert(
      fc.property(runs, stepCounts, fc.nat(), ({ name, seed, ...request }, steps, cut) => {
        const plan = planSchedule(name, steps, request);
        const whole = denoise(name, plan, {
          ...start(name, plan, seed),
          from: 0,
          to: plan.evaluations.length,
          output: noiseAt,
        });

        const half = cut % (plan.evaluations.length + 1);
        const first = denoise(name, plan, { ...start(name, plan, seed), from: 0, to: half, output: noiseAt });
        const checkpoint = structuredClone(first);
        const second = denoise(name, structuredClone(plan), {
          ...checkpoint,
          from: half,
          to: plan.evaluations.length,
          output: noiseAt,
        });
        expect(second.latents).toEqual(whole.latents);
      }),
    );
  });

  it('does not let pictures that share a plan touch each other', () => {
    fc.assert(
      fc.property(runs, stepCounts, ({ name, seed, ...request }, steps) => {
        const plan = planSchedule(name, steps, request);
        const alone = denoise(name, plan, {
          ...start(name, plan, seed),
          from: 0,
          to: plan.evaluations.length,
          output: noiseAt,
        });

        let mine = start(name, plan, seed);
        let neighbour = start(name, plan, seed + 1n);
        for (let i = 0; i < plan.evaluations.length; i += 1) {
          neighbour = denoise(name, plan, { ...neighbour, from: i, to: i + 1, output: (latents) => latents });
          mine = denoise(name, plan, { ...mine, from: i, to: i + 1, output: noiseAt });
        }
        expect(mine.latents).toEqual(alone.latents);
      }),
    );
  });

  it('writes in place what it writes apart, and reads halves of guidance as what they join to', () => {
    fc.assert(
      fc.property(runs, stepCounts, ({ name, seed, ...request }, steps) => {
        const plan = planSchedule(name, steps, request);
        const scheduler = schedulerOf(name);
        const [inPlace, apart, joined] = [
          start(name, plan, seed),
          start(name, plan, seed),
          start(name, plan, seed),
        ];
        for (const [i, { draws }] of plan.evaluations.entries()) {
          const halves = { uncond: halfAt(i, 0), cond: halfAt(i, 1), scale: 4 };
          const noise = Array.from({ length: draws }, (_, draw) => freshNoise(i, draw));
          const move = (run: Moving, output: Answer, out: Float32Array) => {
            run.state = scheduler.step(plan, i, run.state, { latents: run.latents, output, noise }, out);
            run.latents = out;
          };
          const given = structuredClone({ halves, noise });
          move(inPlace, halves, inPlace.latents);
          move(apart, halves, new Float32Array(SIZE).fill(Number.NaN));
          move(joined, guidedAnswer(halves), joined.latents);
          expect({ halves, noise }).toEqual(given);
          expect(inPlace.latents).toEqual(apart.latents);
          const largest = joined.latents.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
          for (const [k, value] of inPlace.latents.entries())
            expect(Math.abs(value - (joined.latents[k] ?? 0))).toBeLessThan(1e-4 * largest);
        }
      }),
    );
  });

  it('ends at the clean latents when the model knows them, whatever it is asked to predict', () => {
    fc.assert(
      fc.property(runs, stepCounts, ({ name, seed, ...request }, steps) => {
        const plan = planSchedule(name, steps, request);
        // The strides of DDIM do not meet the timesteps of `linspace`: its last step starts from far more noise than
        // its timestep says, and takes all of it off only where it goes to the clean signal.
        const { timestepSpacing, setAlphaToOne } = request.config;
        fc.pre(name !== 'DDIM' || timestepSpacing !== 'linspace' || setAlphaToOne === true);
        // PNDM strides too, and joins answers of several levels, which are of one kind only for epsilon.
        const isEven = timestepSpacing === 'leading' && request.config.predictionType === 'epsilon';
        fc.pre(name !== 'PNDM' || isEven);
        const clean = torchNormal(seed + 500n, SIZE);
        const isVariancePreserving = plan.initSigma === 1;
        const { latents } = denoise(name, plan, {
          ...start(name, plan, seed),
          from: 0,
          to: plan.evaluations.length,
          output: (x, i) => {
            const level = toLevel(at(plan.evaluations, i).sigma);
            const toPreserving = isVariancePreserving ? 1 : level.alpha;
            return answerKnowing(clean, plan.predictionType, level)(x.map((value) => value * toPreserving));
          },
        });
        // Of a schedule that ends short of sigma 0, that much noise is left; values above 7 do not occur.
        const left = 7 * plan.finalSigma + 1e-3;
        for (const [k, value] of latents.entries())
          expect(Math.abs(value - (clean[k] ?? 0))).toBeLessThan(left);
      }),
    );
  });

  it('noises clean latents to the level that the evaluation expects, and scales that to variance 1', () => {
    fc.assert(
      fc.property(runs, stepCounts, ({ name, seed, ...request }, steps) => {
        // SASolver noises to the whole timestep, which is not quite a curve's level.
        fc.pre(name !== 'SA_SOLVER' || request.sigmaSchedule === 'DEFAULT');
        const plan = planSchedule(name, steps, request);
        const clean = torchNormal(seed, SIZE);
        const noise = torchNormal(seed + 1n, SIZE);
        const noisy = new Float32Array(SIZE);
        schedulerOf(name).addNoise(plan, 0, clean, noise, noisy);
        schedulerOf(name).scaleInput(plan, 0, noisy, noisy);
        const { alpha, std } = toLevel(at(plan.evaluations, 0).sigma);
        for (const [k, value] of noisy.entries()) {
          expect(value).toBeCloseTo(alpha * (clean[k] ?? 0) + std * (noise[k] ?? 0), 5);
        }
      }),
    );
  });

  it('refuses an evaluation outside its plan', () => {
    for (const name of SCHEDULER_NAMES) {
      const [config] = fc.sample(configs, 1);
      if (!config) continue;
      const plan = schedulerOf(name).plan(4, { config, sigmaSchedule: 'DEFAULT' });
      const { latents, state } = start(name, plan, 0n);
      const past = plan.evaluations.length;
      const run = () =>
        schedulerOf(name).step(plan, past, state, { latents, output: latents, noise: [] }, latents);
      expect(run).toThrow(RangeError);
    }
  });
});

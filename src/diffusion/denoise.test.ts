import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readManifest, readSchedulerConfig } from '../../test/parity/recorded.ts';
import { advance, decoderInput, modelInput, startPicture, timestepOf } from './denoise.ts';
import { torchNormal } from './noise/torch-normal.ts';
import { compilePlan } from './plan.ts';
import { SCHEDULER_NAMES } from './names.ts';
import { resolveSettings } from './settings.ts';

const manifest = readManifest();
const schedulerConfig = readSchedulerConfig();

const plans = fc.constantFrom(...SCHEDULER_NAMES).map((scheduler) => {
  const settings = resolveSettings(manifest, { prompt: 'a red apple', seed: 2n, scheduler, steps: 6 });
  return compilePlan({ manifest, schedulerConfig, settings, promptChunks: 1 });
});
const seeds = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
/** Evaluations that the longest memory reaches back, and one that replaces its oldest. */
const MEMORY_MAX = 5;

const answer = (i: number, size: number) => torchNormal(BigInt(i), size);

describe('denoising a picture', () => {
  it('goes on from a checkpoint exactly as if it had not been interrupted', () => {
    fc.assert(
      fc.property(plans, seeds, fc.integer({ min: 0, max: 6 }), (plan, seed, cut) => {
        const whole = startPicture(plan, seed);
        let resumed = startPicture(plan, seed);
        for (let i = 0; i < plan.totalSteps; i += 1) {
          if (i === cut) resumed = structuredClone(resumed);
          advance(plan, whole, i, answer(i, plan.latentSize));
          advance(plan, resumed, i, answer(i, plan.latentSize));
        }
        expect(resumed.latents).toEqual(whole.latents);
      }),
      { numRuns: 20 },
    );
  });

  it('starts from noise of the seed alone, at the level that the schedule wants', () => {
    fc.assert(
      fc.property(plans, seeds, (plan, seed) => {
        const noise = torchNormal(seed, plan.latentSize);
        expect(startPicture(plan, seed).latents).toEqual(
          noise.map((value) => value * plan.schedule.initSigma),
        );
      }),
      { numRuns: 20 },
    );
  });

  it('gives the model a copy: reading the input changes nothing', () => {
    fc.assert(
      fc.property(plans, seeds, (plan, seed) => {
        const picture = startPicture(plan, seed);
        const before = structuredClone(picture);
        modelInput(plan, picture, 0, new Float32Array(plan.latentSize));
        expect(picture).toEqual(before);
      }),
      { numRuns: 20 },
    );
  });

  it('refuses an answer of the wrong size and keeps the picture as it was', () => {
    fc.assert(
      fc.property(plans, seeds, (plan, seed) => {
        const picture = startPicture(plan, seed);
        const before = structuredClone(picture);
        expect(() => advance(plan, picture, 0, new Float32Array(plan.latentSize - 1))).toThrow(RangeError);
        expect(() => timestepOf(plan, plan.totalSteps)).toThrow(RangeError);
        expect(picture).toEqual(before);
      }),
      { numRuns: 5 },
    );
  });

  it('divides by the scaling factor unless the decoder does', () => {
    fc.assert(
      fc.property(plans, seeds, (plan, seed) => {
        const picture = startPicture(plan, seed);
        const out = new Float32Array(plan.latentSize);
        decoderInput({ ...manifest, decoderScales: true }, picture, out);
        expect(out).toEqual(picture.latents);
        decoderInput({ ...manifest, decoderScales: false, scalingFactor: 0.5 }, picture, out);
        expect(out).toEqual(picture.latents.map((value) => value * 2));
      }),
      { numRuns: 5 },
    );
  });

  it.each(SCHEDULER_NAMES)('with %s makes no array once its memory is full', (scheduler) => {
    const settings = resolveSettings(manifest, { prompt: 'a red apple', seed: 2n, scheduler, steps: 12 });
    const plan = compilePlan({ manifest, schedulerConfig, settings, promptChunks: 1 });
    const picture = startPicture(plan, 2n);
    const arraysOf = () =>
      Object.values(picture.state)
        .flat()
        .filter((each) => typeof each === 'object');
    for (let i = 0; i < MEMORY_MAX; i += 1) advance(plan, picture, i, answer(i, plan.latentSize));
    const known = new Set<unknown>(arraysOf());
    for (let i = MEMORY_MAX; i < plan.totalSteps; i += 1) {
      advance(plan, picture, i, answer(i, plan.latentSize));
      expect(arraysOf().filter((each) => !known.has(each))).toEqual([]);
    }
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PredictionType } from '../../kernel/manifest.ts';
import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { torchNormal } from '../noise/torch-normal.ts';
import { toLevel } from '../schedulers/prediction.ts';
import { judgeFirstEvaluation } from './judge-first-evaluation.ts';
import type { LatentShape } from './measure-latents.ts';

const latentShape: LatentShape = [4, 16, 16];
const SIZE = 1_024;
const seeds = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n });
const sigmas = fc.double({ min: 4, max: 4_096, noNaN: true });

/** A smooth picture, as an ideal model sees it behind the noise. */
const clean = Float32Array.from(
  { length: SIZE },
  (_, k) => Math.sin((k % 16) / 5) + Math.floor(k / 256) - 1.5,
);

const plan = (predictionType: PredictionType, sigma: number, scale = 4) => ({
  latentShape,
  guidance: { form: 'IN_GRAPH', part: 'unet_cfg', scale } as const,
  schedule: {
    predictionType,
    evaluations: [{ timestep: 999, sigma, draws: 0 }],
    finalSigma: 0,
    initSigma: 1,
  },
});

/** What an ideal model of that type is given and answers. */
function ideal(type: PredictionType, sigma: number, seed: bigint) {
  const { alpha, std } = toLevel(sigma);
  const noise = torchNormal(seed, SIZE);
  const input = noise.map((value, k) => alpha * (clean[k] ?? 0) + std * value);
  const answers = {
    epsilon: noise,
    v_prediction: noise.map((value, k) => alpha * value - std * (clean[k] ?? 0)),
    sample: clean,
  };
  return { input, output: answers[type] };
}

describe('the first evaluation', () => {
  it('of a model that answers what its record says passes at every level that is judged', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PREDICTION_TYPES), sigmas, seeds, (type, sigma, seed) => {
        expect(judgeFirstEvaluation(plan(type, sigma), ideal(type, sigma, seed))).toBeNull();
      }),
    );
  });

  it('of a model that predicts the noise and is said not to, or the other way round, is refused', () => {
    const others = fc.constantFrom<PredictionType>('v_prediction', 'sample');
    fc.assert(
      fc.property(others, sigmas, seeds, (other, sigma, seed) => {
        for (const [said, is] of [
          ['epsilon', other],
          [other, 'epsilon'],
        ] as const) {
          const fault = judgeFirstEvaluation(plan(said, sigma), ideal(is, sigma, seed));
          expect(fault).toMatchObject({ code: 'OUTPUT_IS_NOISE', kind: 'PREDICTION_TYPE' });
        }
      }),
    );
  });

  it('with an input that is not scaled, or scaled twice, is refused and says by how much', () => {
    fc.assert(
      fc.property(sigmas, seeds, (sigma, seed) => {
        const { input, output } = ideal('epsilon', sigma, seed);
        for (const factor of [sigma, 1 / sigma]) {
          const scaled = { input: input.map((value) => factor * value), output };
          const fault = judgeFirstEvaluation(plan('epsilon', sigma), scaled);
          expect(fault).toMatchObject({ code: 'OUTPUT_IS_NOISE', kind: 'INPUT_SCALE' });
          expect(fault?.seen).toBeGreaterThan(0);
        }
      }),
    );
  });

  it('is not judged by its answer where guidance overshoots', () => {
    const wrong = ideal('sample', 14, 1n);
    expect(judgeFirstEvaluation(plan('epsilon', 14, 30), wrong)).not.toBeNull();
    expect(judgeFirstEvaluation(plan('epsilon', 14, 31), wrong)).toBeNull();
  });

  it('of a run that starts near the picture is not judged: noise is little of its input', () => {
    const nothing = { input: new Float32Array(SIZE), output: new Float32Array(SIZE) };
    expect(judgeFirstEvaluation(plan('epsilon', 3.9), nothing)).toBeNull();
    expect(judgeFirstEvaluation(plan('epsilon', 4), nothing)).not.toBeNull();
  });
});

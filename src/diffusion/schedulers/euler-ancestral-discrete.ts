import { addScaled, weightedSum } from '../kernels.ts';
import { denoiseInSigmaSpace } from './prediction.ts';
import type { Scheduler, Stateless } from './scheduler.ts';
import { at, stateless } from './scheduler.ts';
import { initialSigma, sigmaSpace, spacedTimesteps } from './sigma-space.ts';
import { sigmaAt, trainingSigmas } from './sigmas.ts';

const { fround } = Math;

/**
 * Euler's method to a level below the next one, and fresh noise up to it: ancestral sampling
 * (`EulerAncestralDiscreteScheduler` in diffusers, after k-diffusion's `sample_euler_ancestral`; the split of
 * levels is equation 16 of Song et al. 2021, "DDIM", at eta 1, in sigma space). One U-Net evaluation per step,
 * no memory besides the noise.
 *
 * A draw is made for the last step too, where its weight is 0, as in diffusers.
 */
export const eulerAncestralDiscrete: Scheduler<Stateless> = {
  ...sigmaSpace,
  sigmaSchedules: ['DEFAULT'],
  predictionTypes: ['epsilon', 'v_prediction'],

  plan(steps, { config }) {
    const table = trainingSigmas(config);
    const timesteps = spacedTimesteps(steps, config);
    const sigmas = timesteps.map((timestep) => fround(sigmaAt(table, timestep)));
    return {
      predictionType: config.predictionType,
      evaluations: steps,
      timesteps: timesteps.map(fround),
      sigmas: [...sigmas, 0],
      initSigma: initialSigma(at(sigmas, 0), config),
      noiseDraws: new Array<number>(steps).fill(1),
    };
  },

  start: () => stateless,

  step(plan, i, state, { latents, output, noise: [fresh] }, out) {
    const sigma = at(plan.sigmas, i);
    const { down, up } = splitLevel(sigma, at(plan.sigmas, i + 1));
    // x + (x - x0) / sigma * dt with x0 = fromLatents x + fromOutput y, as two weights.
    const slope = (down - sigma) / sigma;
    const { fromLatents, fromOutput } = denoiseInSigmaSpace(plan.predictionType, sigma);
    const weights = { a: 1 + slope * (1 - fromLatents), b: -slope * fromOutput };
    weightedSum(weights, { x: latents, y: output }, out);
    if (!fresh) throw new RangeError('An ancestral step needs a draw of noise.');
    addScaled(up, fresh, out);
    return state;
  },
};

/** Where the deterministic part of a step from `sigma` to `next` goes, and the noise from there up to `next`. */
function splitLevel(sigma: number, next: number): { readonly down: number; readonly up: number } {
  const up = Math.sqrt((next ** 2 * (sigma ** 2 - next ** 2)) / sigma ** 2);
  return { down: Math.sqrt(next ** 2 - up ** 2), up };
}

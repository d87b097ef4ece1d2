import { outputTerms } from '../guidance.ts';
import { combine } from '../kernels.ts';
import { splitLevel } from './ancestral.ts';
import { slopeInSigmaSpace } from './prediction.ts';
import type { Evaluation, Scheduler, Stateless } from './scheduler.ts';
import { at, drawOf, stateless } from './scheduler.ts';
import { initialSigma, sigmaSpace, sigmaSpaceLevels } from './sigma-space.ts';

const { fround } = Math;

interface AncestralEvaluation extends Evaluation {
  /** Where the deterministic part of the step goes, and the noise from there up to the next level. */
  readonly down: number;
  readonly up: number;
}

/**
 * Euler's method to a level below the next one, and fresh noise up to it: ancestral sampling
 * (`EulerAncestralDiscreteScheduler` in diffusers, after k-diffusion's `sample_euler_ancestral`). One U-Net
 * evaluation per step, no memory besides the noise.
 *
 * A draw is made for the last step too, where its weight is 0, as in diffusers.
 */
export const eulerAncestralDiscrete: Scheduler<Stateless, AncestralEvaluation> = {
  ...sigmaSpace,
  sigmaSchedules: ['DEFAULT'],
  predictionTypes: ['epsilon', 'v_prediction'],
  evaluationsPerStep: 1,

  plan(steps, request) {
    const { timesteps, sigmas } = sigmaSpaceLevels(steps, request);
    return {
      predictionType: request.config.predictionType,
      evaluations: timesteps.map((timestep, i) => {
        const sigma = fround(at(sigmas, i));
        return {
          timestep: fround(timestep),
          sigma,
          draws: 1,
          ...splitLevel(sigma, fround(sigmas[i + 1] ?? 0)),
        };
      }),
      finalSigma: 0,
      initSigma: initialSigma(sigmas, request.config),
    };
  },

  start: () => stateless,

  step({ predictionType, evaluations }, i, state, input, out) {
    const { sigma, down, up } = at(evaluations, i);
    const slope = slopeInSigmaSpace(predictionType, sigma);
    const dt = down - sigma;
    const terms = [
      [1 + dt * slope.fromLatents, input.latents],
      ...outputTerms(dt * slope.fromOutput, input.output),
      [up, drawOf(input)],
    ] as const;
    combine(terms, out);
    return state;
  },
};

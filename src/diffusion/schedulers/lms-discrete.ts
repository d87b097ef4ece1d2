import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import type { MultistepEvaluation, MultistepState } from './multistep.ts';
import { multistep, noHistory } from './multistep.ts';
import { slopeInSigmaSpace } from './prediction.ts';
import type { Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import { initialSigma, SIGMA_SPACE_SCHEDULES, sigmaSpace, sigmaSpaceLevels } from './sigma-space.ts';

const { fround } = Math;

const ORDER = 4;

/**
 * A linear multistep method (Adams and Bashforth) of order 4 on the probability-flow ODE in sigma space
 * (`LMSDiscreteScheduler` in diffusers, after k-diffusion's `sample_lms`): the slopes of the last four
 * evaluations are joined by a polynomial, and that is integrated over the step. One U-Net evaluation per step.
 *
 * A run that starts part of the way has fewer slopes at first than its place in the schedule would have; it
 * takes the coefficients of its place all the same and leaves out the slopes it lacks, as diffusers does.
 */
export const lmsDiscrete: Scheduler<MultistepState, MultistepEvaluation> = {
  ...sigmaSpace,
  sigmaSchedules: SIGMA_SPACE_SCHEDULES,
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,

  plan(steps, request) {
    const { predictionType } = request.config;
    const levels = sigmaSpaceLevels(steps, request);
    const sigmas = [...levels.sigmas.map(fround), 0];
    return {
      predictionType,
      evaluations: levels.timesteps.map((timestep, i) => {
        const weights = slopeWeights(sigmas, i);
        return {
          timestep: fround(timestep),
          sigma: at(sigmas, i),
          draws: 0,
          estimate: slopeInSigmaSpace(predictionType, at(sigmas, i)),
          updates: weights.map((_, k) => ({ latents: 1, estimates: weights.slice(0, k + 1), noise: 0 })),
          memory: ORDER,
        };
      }),
      finalSigma: 0,
      initSigma: initialSigma(levels.sigmas, request.config),
    };
  },

  start: () => noHistory,

  step: multistep,
};

/** Weights of the slopes at evaluations i, i - 1, ...: the integrals of their Lagrange polynomials over the step. */
function slopeWeights(sigmas: readonly number[], i: number): readonly number[] {
  const nodes = Array.from({ length: Math.min(i + 1, ORDER) }, (_, k) => at(sigmas, i - k));
  const from = at(sigmas, i);
  const to = at(sigmas, i + 1);
  return nodes.map((node, k) => {
    const others = nodes.toSpliced(k, 1);
    const polynomial = (sigma: number) =>
      others.reduce((product, other) => (product * (sigma - other)) / (node - other), 1);
    // Simpson's rule is exact up to the third degree, which is what four nodes give.
    return ((to - from) / 6) * (polynomial(from) + 4 * polynomial((from + to) / 2) + polynomial(to));
  });
}

import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import {
  EXPONENTIAL_SCHEDULES,
  exponentialLevels,
  exponentialStepsMax,
  withTrainedEnd,
} from './exponential-levels.ts';
import type { MultistepEvaluation, MultistepState, Update } from './multistep.ts';
import { LONG_RUN_STEPS, multistep, noHistory } from './multistep.ts';
import { noiseVariancePreserving, toLevel } from './prediction.ts';
import type { Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import { variancePreserving } from './variance-preserving.ts';

const ORDER = 2;

/**
 * The log-rho form of the diffusion exponential integrator (Zhang and Chen 2023, "Fast Sampling of Diffusion Models
 * with Exponential Integrator", section 4; `DEISMultistepScheduler` in diffusers): the noise that the model sees is a
 * straight line in log sigma through the last two evaluations, and that is integrated over sigma. One U-Net
 * evaluation per step. It stops at the lowest level of training, never at 0.
 */
export const deisMultistep: Scheduler<MultistepState, MultistepEvaluation> = {
  ...variancePreserving,
  sigmaSchedules: EXPONENTIAL_SCHEDULES,
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,
  stepsMax: exponentialStepsMax,

  plan(steps, request) {
    const { predictionType } = request.config;
    const levels = exponentialLevels(steps, request);
    const sigmas = withTrainedEnd(levels, request);
    return {
      predictionType,
      evaluations: levels.timesteps.map((timestep, i) => ({
        timestep,
        sigma: at(sigmas, i),
        draws: 0,
        estimate: noiseVariancePreserving(predictionType, toLevel(at(sigmas, i))),
        updates: updatesAt(sigmas, i),
        memory: ORDER,
      })),
      finalSigma: at(sigmas, steps),
      initSigma: 1,
    };
  },

  start: () => noHistory,

  step: multistep,
};

function updatesAt(sigmas: readonly number[], i: number): readonly Update[] {
  const steps = sigmas.length - 1;
  const sigma = at(sigmas, i);
  const next = at(sigmas, i + 1);
  const { alpha } = toLevel(next);
  const latents = alpha / toLevel(sigma).alpha;
  const first: Update = { latents, estimates: [alpha * (next - sigma)], noise: 0 };
  if (i === 0 || (i === steps - 1 && steps < LONG_RUN_STEPS)) return [first];
  const last = at(sigmas, i - 1);
  const estimates = [
    alpha * (lineIntegral(next, sigma, last) - lineIntegral(sigma, sigma, last)),
    alpha * (lineIntegral(next, last, sigma) - lineIntegral(sigma, last, sigma)),
  ];
  return [first, { latents, estimates, noise: 0 }];
}

/** The antiderivative at `sigma` of the line in log sigma that is 1 at `one` and 0 at `zero`. */
function lineIntegral(sigma: number, one: number, zero: number): number {
  return (sigma * (Math.log(sigma / zero) - 1)) / Math.log(one / zero);
}

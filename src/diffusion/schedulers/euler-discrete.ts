import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { weightedSum } from '../kernels.ts';
import { slopeInSigmaSpace } from './prediction.ts';
import type { Evaluation, Scheduler, Stateless } from './scheduler.ts';
import { at, stateless } from './scheduler.ts';
import { initialSigma, SIGMA_SPACE_SCHEDULES, sigmaSpace, sigmaSpaceLevels } from './sigma-space.ts';

const { fround } = Math;

interface EulerEvaluation extends Evaluation {
  /** Noise level after the step. */
  readonly next: number;
}

/**
 * Euler's method on the probability-flow ODE in sigma space (Karras et al. 2022, Algorithm 2
 * without churn; `EulerDiscreteScheduler` in diffusers). One U-Net evaluation per step, no memory
 * between steps, so the state is empty and a checkpoint needs the latents alone.
 */
export const eulerDiscrete: Scheduler<Stateless, EulerEvaluation> = {
  ...sigmaSpace,
  sigmaSchedules: SIGMA_SPACE_SCHEDULES,
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,

  plan(steps, request) {
    const { timesteps, sigmas } = sigmaSpaceLevels(steps, request);
    return {
      predictionType: request.config.predictionType,
      evaluations: timesteps.map((timestep, i) => ({
        timestep: fround(timestep),
        sigma: fround(at(sigmas, i)),
        next: fround(sigmas[i + 1] ?? 0),
        draws: 0,
      })),
      finalSigma: 0,
      initSigma: initialSigma(sigmas, request.config),
    };
  },

  start: () => stateless,

  step({ predictionType, evaluations }, i, state, { latents, output }, out) {
    const { sigma, next } = at(evaluations, i);
    const slope = slopeInSigmaSpace(predictionType, sigma);
    const dt = next - sigma;
    weightedSum({ a: 1 + dt * slope.fromLatents, b: dt * slope.fromOutput }, { x: latents, y: output }, out);
    return state;
  },
};

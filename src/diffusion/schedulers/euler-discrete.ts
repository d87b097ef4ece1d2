import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { weightedSum } from '../kernels.ts';
import { denoiseInSigmaSpace } from './prediction.ts';
import type { Scheduler, Stateless } from './scheduler.ts';
import { at, stateless } from './scheduler.ts';
import { initialSigma, sigmaSpace, spacedTimesteps } from './sigma-space.ts';
import { karrasSigmas, logTable, sigmaAt, timestepOfSigma, trainingSigmas } from './sigmas.ts';

const { fround } = Math;

/**
 * Euler's method on the probability-flow ODE in sigma space (Karras et al. 2022, Algorithm 2
 * without churn; `EulerDiscreteScheduler` in diffusers). One U-Net evaluation per step, no memory
 * between steps, so the state is empty and a checkpoint needs the latents alone.
 */
export const eulerDiscrete: Scheduler<Stateless> = {
  ...sigmaSpace,
  sigmaSchedules: ['DEFAULT', 'KARRAS'],
  predictionTypes: PREDICTION_TYPES,

  plan(steps, { config, sigmaSchedule }) {
    const table = trainingSigmas(config);
    const spaced = spacedTimesteps(steps, config);
    const own = spaced.map((timestep) => sigmaAt(table, timestep));
    const isKarras = sigmaSchedule === 'KARRAS';
    // The curve spans the spaced sigmas, so that it keeps the spacing's first and last level.
    const sigmas = isKarras ? karrasSigmas(steps, { max: at(own, 0), min: at(own, steps - 1) }) : own;
    const logs = logTable(table);
    const timesteps = isKarras ? sigmas.map((sigma) => timestepOfSigma(sigma, logs)) : spaced;
    return {
      predictionType: config.predictionType,
      evaluations: steps,
      timesteps: timesteps.map(fround),
      sigmas: [...sigmas.map(fround), 0],
      initSigma: initialSigma(fround(at(sigmas, 0)), config),
      noiseDraws: new Array<number>(steps).fill(0),
    };
  },

  start: () => stateless,

  step(plan, i, state, { latents, output }, out) {
    const sigma = at(plan.sigmas, i);
    // x + (x - x0) / sigma * dt with x0 = fromLatents x + fromOutput y, as two weights.
    const slope = (at(plan.sigmas, i + 1) - sigma) / sigma;
    const { fromLatents, fromOutput } = denoiseInSigmaSpace(plan.predictionType, sigma);
    const weights = { a: 1 + slope * (1 - fromLatents), b: -slope * fromOutput };
    weightedSum(weights, { x: latents, y: output }, out);
    return state;
  },
};

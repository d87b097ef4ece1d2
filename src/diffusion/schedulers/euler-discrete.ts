import { scale, weightedSum } from '../kernels.ts';
import type { SchedulerConfig } from './config.ts';
import { denoiseInSigmaSpace } from './prediction.ts';
import type { Scheduler, Stateless } from './scheduler.ts';
import { at, stateless } from './scheduler.ts';
import {
  karrasSigmas,
  leadingTimesteps,
  linspace,
  logTable,
  sigmaAt,
  timestepOfSigma,
  trailingTimesteps,
  trainingSigmas,
} from './sigmas.ts';

const { fround } = Math;

/**
 * Euler's method on the probability-flow ODE in sigma space (Karras et al. 2022, Algorithm 2
 * without churn; `EulerDiscreteScheduler` in diffusers). One U-Net evaluation per step, no memory
 * between steps, so the state is empty and a checkpoint needs the latents alone.
 */
export const eulerDiscrete: Scheduler<Stateless> = {
  sigmaSchedules: ['DEFAULT', 'KARRAS'],
  stepsMax: ({ config }) =>
    spacing(config) === 'leading' ? config.trainTimesteps - config.stepsOffset : config.trainTimesteps,

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

  scaleInput(plan, i, latents, out) {
    scale(1 / Math.sqrt(at(plan.sigmas, i) ** 2 + 1), latents, out);
  },

  addNoise(plan, i, clean, noise, out) {
    weightedSum({ a: 1, b: at(plan.sigmas, i) }, { x: clean, y: noise }, out);
  },

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

function spacing(config: SchedulerConfig): NonNullable<SchedulerConfig['timestepSpacing']> {
  return config.timestepSpacing ?? 'linspace';
}

function spacedTimesteps(steps: number, config: SchedulerConfig): readonly number[] {
  switch (spacing(config)) {
    case 'linspace':
      // numpy is asked for float32 here, and the interpolation then starts from the rounded value.
      return linspace(0, config.trainTimesteps - 1, steps)
        .map(fround)
        .toReversed();
    case 'leading':
      return leadingTimesteps(steps, steps, config);
    case 'trailing':
      return trailingTimesteps(steps, config.trainTimesteps);
  }
}

/** Under `leading` the first level is short of the largest, and the start keeps the data's own variance. */
function initialSigma(max: number, config: SchedulerConfig): number {
  return spacing(config) === 'leading' ? fround(Math.sqrt(max ** 2 + 1)) : max;
}

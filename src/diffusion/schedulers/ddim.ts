import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { weightedSum } from '../kernels.ts';
import type { SchedulerConfig } from './config.ts';
import { denoiseVariancePreserving, toAlphaStd } from './prediction.ts';
import type { SchedulePlan, Scheduler, Stateless } from './scheduler.ts';
import { at, stateless } from './scheduler.ts';
import { leadingTimesteps, linspace, roundHalfEven, trailingTimesteps, trainingSigmas } from './sigmas.ts';
import { variancePreserving } from './variance-preserving.ts';

/** `targets`: the noise level that each step leaves the latents at. */
export interface DdimPlan extends SchedulePlan {
  readonly targets: readonly number[];
}

/**
 * Denoising diffusion implicit models (Song et al. 2021, "Denoising Diffusion Implicit Models", equation 12 with
 * eta 0; `DDIMScheduler` in diffusers). Deterministic, one U-Net evaluation per step, no memory between steps.
 *
 * A step goes down by the whole part of `trainTimesteps / steps`, as in diffusers, and not to the timestep that
 * is evaluated next: under `linspace` and `trailing` the two differ. Past timestep 0 it goes to the clean signal,
 * or to the noise of timestep 0 where the model's record has `set_alpha_to_one` false.
 */
export const ddim: Scheduler<Stateless, DdimPlan> = {
  ...variancePreserving,
  sigmaSchedules: ['DEFAULT'],
  predictionTypes: PREDICTION_TYPES,
  stepsMax: ({ config }) =>
    (config.timestepSpacing ?? 'leading') === 'leading'
      ? config.trainTimesteps - config.stepsOffset
      : config.trainTimesteps,

  plan(steps, { config }) {
    const table = trainingSigmas(config);
    const timesteps = spacedTimesteps(steps, config);
    const stride = Math.floor(config.trainTimesteps / steps);
    const last = config.setAlphaToOne ? 0 : at(table, 0);
    const targets = timesteps.map((timestep) => (timestep < stride ? last : at(table, timestep - stride)));
    return {
      predictionType: config.predictionType,
      evaluations: steps,
      timesteps,
      sigmas: [...timesteps.map((timestep) => at(table, timestep)), at(targets, steps - 1)],
      targets,
      initSigma: 1,
      noiseDraws: new Array<number>(steps).fill(0),
    };
  },

  start: () => stateless,

  step({ predictionType, sigmas, targets }, i, state, { latents, output }, out) {
    const sigma = at(sigmas, i);
    const to = toAlphaStd(at(targets, i));
    const from = toAlphaStd(sigma);
    // alpha' x0 + std' epsilon, with epsilon = (x - alpha x0) / std and x0 = fromLatents x + fromOutput y.
    const kept = to.std / from.std;
    const fromDenoised = to.alpha - kept * from.alpha;
    const { fromLatents, fromOutput } = denoiseVariancePreserving(predictionType, sigma);
    const weights = { a: kept + fromDenoised * fromLatents, b: fromDenoised * fromOutput };
    weightedSum(weights, { x: latents, y: output }, out);
    return state;
  },
};

function spacedTimesteps(steps: number, config: SchedulerConfig): readonly number[] {
  switch (config.timestepSpacing ?? 'leading') {
    case 'linspace':
      return linspace(0, config.trainTimesteps - 1, steps)
        .map(roundHalfEven)
        .toReversed();
    case 'leading':
      return leadingTimesteps(steps, steps, config);
    case 'trailing':
      return trailingTimesteps(steps, config.trainTimesteps);
  }
}

import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { weightedSum } from '../kernels.ts';
import type { Level } from './prediction.ts';
import { denoiseVariancePreserving, levelOfAlphaBar, noiseVariancePreserving } from './prediction.ts';
import type { Evaluation, Scheduler, Stateless } from './scheduler.ts';
import { at, stateless } from './scheduler.ts';
import { sigmaOfAlphaBar, trainingAlphaBars } from './sigmas.ts';
import { betweenTrainingTimesteps, spacedTimesteps } from './training-timesteps.ts';

interface DdimEvaluation extends Evaluation {
  readonly from: Level;
  readonly to: Level;
}

/**
 * Denoising diffusion implicit models (Song et al. 2021, "Denoising Diffusion Implicit Models", equation 12 with
 * eta 0; `DDIMScheduler` in diffusers). Deterministic, one U-Net evaluation per step, no memory between steps.
 *
 * A step goes down by the whole part of `trainTimesteps / steps`, as in diffusers, and not to the timestep that
 * is evaluated next: under `linspace` and `trailing` the two differ. Past timestep 0 it goes to the clean signal,
 * or to the noise of timestep 0 where the model's record has `set_alpha_to_one` false.
 */
export const ddim: Scheduler<Stateless, DdimEvaluation> = {
  ...betweenTrainingTimesteps,
  sigmaSchedules: ['DEFAULT'],
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,

  plan(steps, { config }) {
    const table = trainingAlphaBars(config);
    const stride = Math.floor(config.trainTimesteps / steps);
    const end = (config.setAlphaToOne ?? true) ? 1 : at(table, 0);
    const target = (timestep: number) => (timestep < stride ? end : at(table, timestep - stride));
    const timesteps = spacedTimesteps(steps, config);
    return {
      predictionType: config.predictionType,
      evaluations: timesteps.map((timestep) => ({
        timestep,
        sigma: sigmaOfAlphaBar(at(table, timestep)),
        draws: 0,
        from: levelOfAlphaBar(at(table, timestep)),
        to: levelOfAlphaBar(target(timestep)),
      })),
      finalSigma: sigmaOfAlphaBar(target(at(timesteps, steps - 1))),
      initSigma: 1,
    };
  },

  start: () => stateless,

  step({ predictionType, evaluations }, i, state, { latents, output }, out) {
    const { from, to } = at(evaluations, i);
    const clean = denoiseVariancePreserving(predictionType, from);
    const noise = noiseVariancePreserving(predictionType, from);
    const weights = {
      a: to.alpha * clean.fromLatents + to.std * noise.fromLatents,
      b: to.alpha * clean.fromOutput + to.std * noise.fromOutput,
    };
    weightedSum(weights, { x: latents, y: output }, out);
    return state;
  },
};

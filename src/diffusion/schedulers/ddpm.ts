import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { outputTerms } from '../guidance.ts';
import { combine } from '../kernels.ts';
import { denoiseVariancePreserving, levelOfAlphaBar } from './prediction.ts';
import type { Evaluation, Scheduler, Stateless } from './scheduler.ts';
import { at, drawOf, stateless } from './scheduler.ts';
import { sigmaOfAlphaBar, trainingAlphaBars } from './sigmas.ts';
import { betweenTrainingTimesteps, spacedTimesteps } from './training-timesteps.ts';

interface DdpmEvaluation extends Evaluation {
  readonly alphaBar: number;
  /** alpha-bar after the step: 1 at the end. */
  readonly next: number;
}

/**
 * Ancestral sampling of the reverse Markov chain (Ho et al. 2020, "Denoising Diffusion Probabilistic Models",
 * equations 6 and 7, the smaller of their two variances; `DDPMScheduler` in diffusers). One U-Net evaluation per step,
 * no memory besides the noise, of which every step draws some but one that is asked at timestep 0.
 */
export const ddpm: Scheduler<Stateless, DdpmEvaluation> = {
  ...betweenTrainingTimesteps,
  sigmaSchedules: ['DEFAULT', 'AYS'],
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,

  plan(steps, { config, options }) {
    const table = trainingAlphaBars(config);
    const timesteps = options?.timesteps ?? spacedTimesteps(steps, config);
    return {
      predictionType: config.predictionType,
      evaluations: timesteps.map((timestep, i) => {
        const next = timesteps[i + 1];
        const alphaBar = at(table, timestep);
        return {
          timestep,
          sigma: sigmaOfAlphaBar(alphaBar),
          draws: timestep > 0 ? 1 : 0,
          alphaBar,
          next: next === undefined ? 1 : at(table, next),
        };
      }),
      finalSigma: 0,
      initSigma: 1,
    };
  },

  start: () => stateless,

  step({ predictionType, evaluations }, i, state, input, out) {
    const { alphaBar, next, draws } = at(evaluations, i);
    const alpha = alphaBar / next;
    const noiseLeft = 1 - alphaBar;
    const fromDenoised = (Math.sqrt(next) * (1 - alpha)) / noiseLeft;
    const kept = (Math.sqrt(alpha) * (1 - next)) / noiseLeft;
    const { fromLatents, fromOutput } = denoiseVariancePreserving(predictionType, levelOfAlphaBar(alphaBar));
    const variance = ((1 - next) / noiseLeft) * (1 - alpha);
    const noise = draws > 0 ? [[Math.sqrt(variance), drawOf(input)] as const] : [];
    const latents = [kept + fromDenoised * fromLatents, input.latents] as const;
    combine([latents, ...outputTerms(fromDenoised * fromOutput, input.output), ...noise], out);
    return state;
  },
};

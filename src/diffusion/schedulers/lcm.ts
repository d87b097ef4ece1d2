import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { outputTerms } from '../guidance.ts';
import { combine } from '../kernels.ts';
import { DISTILLED_STEPS, distilledTimesteps } from './distilled-timesteps.ts';
import { denoiseVariancePreserving, levelOfAlphaBar } from './prediction.ts';
import type { Evaluation, Scheduler, Stateless } from './scheduler.ts';
import { at, drawOf, stateless } from './scheduler.ts';
import { sigmaOfAlphaBar, trainingAlphaBars } from './sigmas.ts';
import { variancePreserving } from './variance-preserving.ts';

interface LcmEvaluation extends Evaluation {
  readonly alphaBar: number;
  /** alpha-bar of the timestep that is noised to, null at the end. */
  readonly next: number | null;
}

// The boundary condition's constants, as the models were distilled.
const SIGMA_DATA = 0.5;
const TIMESTEP_SCALING = 10;

/**
 * Multistep consistency sampling of latent consistency models (Luo et al. 2023, "Latent Consistency Models",
 * Algorithm 3; `LCMScheduler` in diffusers): each evaluation goes all the way to a clean picture, and fresh noise takes
 * that up to the next timestep. One U-Net evaluation per step, no memory. For distilled weights; others give blur.
 */
export const lcm: Scheduler<Stateless, LcmEvaluation> = {
  ...variancePreserving,
  sigmaSchedules: ['DEFAULT', 'AYS'],
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,
  stepsMax: () => DISTILLED_STEPS,

  plan(steps, { config, options }) {
    const table = trainingAlphaBars(config);
    const timesteps = options?.timesteps ?? distilledTimesteps(steps, config);
    return {
      predictionType: config.predictionType,
      evaluations: timesteps.map((timestep, i) => {
        const next = timesteps[i + 1];
        const alphaBar = at(table, timestep);
        return {
          timestep,
          sigma: sigmaOfAlphaBar(alphaBar),
          draws: next === undefined ? 0 : 1,
          alphaBar,
          next: next === undefined ? null : at(table, next),
        };
      }),
      finalSigma: 0,
      initSigma: 1,
    };
  },

  start: () => stateless,

  step({ predictionType, evaluations }, i, state, input, out) {
    const { timestep, alphaBar, next } = at(evaluations, i);
    const { fromLatents, fromOutput } = denoiseVariancePreserving(predictionType, levelOfAlphaBar(alphaBar));
    const { skip, denoised } = boundary(timestep);
    const to = levelOfAlphaBar(next ?? 1);
    const noise = next === null ? [] : [[to.std, drawOf(input)] as const];
    const latents = [to.alpha * (skip + denoised * fromLatents), input.latents] as const;
    combine([latents, ...outputTerms(to.alpha * denoised * fromOutput, input.output), ...noise], out);
    return state;
  },
};

/** c_skip and c_out: the function that makes the estimate at timestep 0 the latents themselves. */
function boundary(timestep: number): { readonly skip: number; readonly denoised: number } {
  const scaled = timestep * TIMESTEP_SCALING;
  const total = scaled ** 2 + SIGMA_DATA ** 2;
  return { skip: SIGMA_DATA ** 2 / total, denoised: scaled / Math.sqrt(total) };
}

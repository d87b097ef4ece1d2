import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { combine } from '../kernels.ts';
import { OPTION_DOMAINS } from '../sampler-options.ts';
import type { Level } from './prediction.ts';
import { levelOfAlphaBar, move } from './prediction.ts';
import type { Evaluation, Scheduler, Stateless } from './scheduler.ts';
import { at, drawOf, stateless } from './scheduler.ts';
import { sigmaOfAlphaBar, trainingAlphaBars } from './sigmas.ts';
import { betweenTrainingTimesteps, spacedTimesteps } from './training-timesteps.ts';

interface DdimEvaluation extends Evaluation {
  readonly from: Level;
  /** Where the step leads, without the noise that it adds. */
  readonly to: Level;
  readonly noise: number;
}

/**
 * Denoising diffusion implicit models (Song et al. 2021, "Denoising Diffusion Implicit Models", equations 12
 * and 16; `DDIMScheduler` in diffusers). One U-Net evaluation per step, no memory between steps; deterministic
 * with eta 0, and with eta 1 as noisy as the Markov chain.
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

  plan(steps, { config, options }) {
    const table = trainingAlphaBars(config);
    const stride = Math.floor(config.trainTimesteps / steps);
    const end = (config.setAlphaToOne ?? true) ? 1 : at(table, 0);
    const target = (timestep: number) => (timestep < stride ? end : at(table, timestep - stride));
    const timesteps = spacedTimesteps(steps, config);
    const { eta = OPTION_DOMAINS.eta.default } = options ?? {};
    return {
      predictionType: config.predictionType,
      evaluations: timesteps.map((timestep) => {
        const alphaBar = at(table, timestep);
        return {
          timestep,
          sigma: sigmaOfAlphaBar(alphaBar),
          draws: eta > 0 ? 1 : 0,
          from: levelOfAlphaBar(alphaBar),
          ...stepTo(target(timestep), alphaBar, eta),
        };
      }),
      finalSigma: sigmaOfAlphaBar(target(at(timesteps, steps - 1))),
      initSigma: 1,
    };
  },

  start: () => stateless,

  step({ predictionType, evaluations }, i, state, input, out) {
    const { from, to, noise, draws } = at(evaluations, i);
    const { fromLatents, fromOutput } = move(predictionType, from, to);
    const fresh = draws > 0 ? [[noise, drawOf(input)] as const] : [];
    combine([[fromLatents, input.latents], [fromOutput, input.output], ...fresh], out);
    return state;
  },
};

/** The level that a step to `next` leads to before it adds noise, and how much it adds. */
function stepTo(next: number, alphaBar: number, eta: number): Pick<DdimEvaluation, 'to' | 'noise'> {
  const { alpha, std } = levelOfAlphaBar(next);
  const noise = eta * Math.sqrt(((1 - next) / (1 - alphaBar)) * (1 - alphaBar / next));
  return { to: { alpha, std: Math.sqrt(std ** 2 - noise ** 2) }, noise };
}

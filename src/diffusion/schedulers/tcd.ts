import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { combine } from '../kernels.ts';
import { OPTION_DOMAINS } from '../sampler-options.ts';
import { DISTILLED_STEPS, distilledTimesteps } from './distilled-timesteps.ts';
import type { Level } from './prediction.ts';
import { levelOfAlphaBar, move } from './prediction.ts';
import type { Evaluation, Scheduler, Stateless } from './scheduler.ts';
import { at, drawOf, stateless } from './scheduler.ts';
import { sigmaOfAlphaBar, trainingAlphaBars } from './sigmas.ts';
import { variancePreserving } from './variance-preserving.ts';

interface TcdEvaluation extends Evaluation {
  readonly from: Level;
  /** Where the deterministic part of the step leads. */
  readonly to: Level;
  /** What is kept of that, and the noise on top. */
  readonly kept: number;
  readonly noise: number;
}

/**
 * Trajectory consistency distillation (Zheng et al. 2024, "Trajectory Consistency Distillation", Algorithm 4, its
 * gamma being eta; `TCDScheduler` in diffusers). A step goes below the next timestep by the share eta, and noise takes
 * it back up; with eta 0, which is what diffusers' pipelines pass, it is deterministic. One U-Net evaluation per step, no
 * memory. The last step goes to the noise of training timestep 0. For distilled weights.
 */
export const tcd: Scheduler<Stateless, TcdEvaluation> = {
  ...variancePreserving,
  sigmaSchedules: ['DEFAULT', 'AYS'],
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,
  stepsMax: () => DISTILLED_STEPS,

  plan(steps, { config, options }) {
    const table = trainingAlphaBars(config);
    const { eta = OPTION_DOMAINS.eta.default } = options ?? {};
    const timesteps = options?.timesteps ?? distilledTimesteps(steps, config);
    return {
      predictionType: config.predictionType,
      evaluations: timesteps.map((timestep, i) => {
        const next = timesteps[i + 1] ?? 0;
        const below = at(table, Math.floor((1 - eta) * next));
        const isNoisy = eta > 0 && i < timesteps.length - 1;
        const kept = isNoisy ? at(table, next) / below : 1;
        return {
          timestep,
          sigma: sigmaOfAlphaBar(at(table, timestep)),
          draws: isNoisy ? 1 : 0,
          from: levelOfAlphaBar(at(table, timestep)),
          to: levelOfAlphaBar(below),
          kept: Math.sqrt(kept),
          noise: Math.sqrt(1 - kept),
        };
      }),
      finalSigma: sigmaOfAlphaBar(at(table, 0)),
      initSigma: 1,
    };
  },

  start: () => stateless,

  step({ predictionType, evaluations }, i, state, input, out) {
    const { from, to, kept, noise, draws } = at(evaluations, i);
    const { fromLatents, fromOutput } = move(predictionType, from, to);
    const fresh = draws > 0 ? [[noise, drawOf(input)] as const] : [];
    combine([[kept * fromLatents, input.latents], [kept * fromOutput, input.output], ...fresh], out);
    return state;
  },
};

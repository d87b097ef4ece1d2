import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { weightedSum } from '../kernels.ts';
import { DISTILLED_STEPS, distilledTimesteps } from './distilled-timesteps.ts';
import type { Level } from './prediction.ts';
import { denoiseVariancePreserving, levelOfAlphaBar, noiseVariancePreserving } from './prediction.ts';
import type { Evaluation, Scheduler, Stateless } from './scheduler.ts';
import { at, stateless } from './scheduler.ts';
import { sigmaOfAlphaBar, trainingAlphaBars } from './sigmas.ts';
import { variancePreserving } from './variance-preserving.ts';

interface TcdEvaluation extends Evaluation {
  readonly from: Level;
  readonly to: Level;
}

/**
 * Trajectory consistency distillation (Zheng et al. 2024, "Trajectory Consistency Distillation", Algorithm 4 with
 * gamma 0; `TCDScheduler` in diffusers with eta 0, which is what its pipelines pass). Deterministic, one U-Net
 * evaluation per step, no memory. The last step goes to the noise of training timestep 0. For distilled weights.
 */
export const tcd: Scheduler<Stateless, TcdEvaluation> = {
  ...variancePreserving,
  sigmaSchedules: ['DEFAULT'],
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,
  stepsMax: () => DISTILLED_STEPS,

  plan(steps, { config }) {
    const table = trainingAlphaBars(config);
    const timesteps = distilledTimesteps(steps, config);
    return {
      predictionType: config.predictionType,
      evaluations: timesteps.map((timestep, i) => ({
        timestep,
        sigma: sigmaOfAlphaBar(at(table, timestep)),
        draws: 0,
        from: levelOfAlphaBar(at(table, timestep)),
        to: levelOfAlphaBar(at(table, timesteps[i + 1] ?? 0)),
      })),
      finalSigma: sigmaOfAlphaBar(at(table, 0)),
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

import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { combine } from '../kernels.ts';
import { OPTION_DOMAINS } from '../sampler-options.ts';
import { denoiseInSigmaSpace } from './prediction.ts';
import type { Evaluation, PlanRequest, Scheduler, Stateless } from './scheduler.ts';
import { at, drawOf, stateless } from './scheduler.ts';
import type { Levels } from './sigma-space.ts';
import { initialSigma, SIGMA_SPACE_SCHEDULES, sigmaSpace, sigmaSpaceLevels } from './sigma-space.ts';
import { logTable, timestepOfSigma, trainingSigmas } from './sigmas.ts';

const { fround } = Math;

interface EulerEvaluation extends Evaluation {
  /** Noise level that the step starts from: above `sigma` where noise is added first. */
  readonly churned: number;
  /** How much of the draw makes up the difference. */
  readonly noise: number;
  /** Noise level after the step. */
  readonly next: number;
}

// More would blur the picture (Karras et al. 2022, section 4).
const GAMMA_MAX = Math.SQRT2 - 1;

/**
 * Euler's method on the probability-flow ODE in sigma space (Karras et al. 2022, Algorithm 2 without its
 * second-order correction; `EulerDiscreteScheduler` in diffusers). One U-Net evaluation per step, no memory
 * between steps, so the state is empty and a checkpoint needs the latents alone.
 *
 * With `sChurn` a step adds noise first. The U-Net is asked about the latents before that, as in diffusers.
 */
export const eulerDiscrete: Scheduler<Stateless, EulerEvaluation> = {
  ...sigmaSpace,
  sigmaSchedules: [...SIGMA_SPACE_SCHEDULES, 'AYS'],
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,

  plan(steps, request) {
    const { timesteps, sigmas, finalSigma } = levelsOf(steps, request);
    const { sChurn = OPTION_DOMAINS.sChurn.default, sNoise = OPTION_DOMAINS.sNoise.default } =
      request.options ?? {};
    const gamma = Math.min(sChurn / steps, GAMMA_MAX);
    return {
      predictionType: request.config.predictionType,
      evaluations: timesteps.map((timestep, i) => {
        const sigma = fround(at(sigmas, i));
        const churned = sigma * (1 + gamma);
        return {
          timestep: fround(timestep),
          sigma,
          churned,
          noise: sNoise * Math.sqrt(churned ** 2 - sigma ** 2),
          next: fround(sigmas[i + 1] ?? finalSigma),
          draws: gamma > 0 ? 1 : 0,
        };
      }),
      finalSigma: fround(finalSigma),
      initSigma: initialSigma(sigmas, request.config),
    };
  },

  start: () => stateless,

  step({ predictionType, evaluations }, i, state, input, out) {
    const { sigma, churned, noise, next, draws } = at(evaluations, i);
    // Of latents with noise added, the weights for v are still those of the level before it, as in diffusers.
    const level = predictionType === 'v_prediction' ? sigma : churned;
    const { fromLatents, fromOutput } = denoiseInSigmaSpace(predictionType, level);
    const slope = (next - churned) / churned;
    const kept = 1 + slope * (1 - fromLatents);
    const fresh = draws > 0 ? [[kept * noise, drawOf(input)] as const] : [];
    combine([[kept, input.latents], [-slope * fromOutput, input.output], ...fresh], out);
    return state;
  },
};

function levelsOf(steps: number, request: PlanRequest): Levels & { readonly finalSigma: number } {
  const sigmas = request.options?.sigmas;
  if (!sigmas) return { ...sigmaSpaceLevels(steps, request), finalSigma: 0 };
  const logs = logTable(trainingSigmas(request.config));
  const asked = sigmas.slice(0, -1).map(fround);
  return {
    sigmas: asked,
    timesteps: asked.map((sigma) => timestepOfSigma(sigma, logs)),
    finalSigma: sigmas.at(-1) ?? 0,
  };
}

import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { outputTerms } from '../guidance.ts';
import { combine } from '../kernels.ts';
import { estimateInto } from './multistep.ts';
import { slopeInSigmaSpace } from './prediction.ts';
import type { Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import { initialSigma, SIGMA_SPACE_SCHEDULES, sigmaSpace, sigmaSpaceLevels } from './sigma-space.ts';
import type { TwoStageEvaluation, TwoStageState } from './two-stage.ts';
import { interleave, startTwoStage } from './two-stage.ts';

const { fround } = Math;

/**
 * Heun's method on the probability-flow ODE in sigma space (Karras et al. 2022, Algorithm 1 without churn;
 * `HeunDiscreteScheduler` in diffusers). A step goes to the next level along the slope here, looks at the slope
 * there, and takes the mean of both: two U-Net evaluations, but one for the last step, which goes to sigma 0.
 *
 * What the second half needs of the first, its start and half of its way, is one array.
 */
export const heunDiscrete: Scheduler<TwoStageState, TwoStageEvaluation> = {
  ...sigmaSpace,
  sigmaSchedules: [...SIGMA_SPACE_SCHEDULES, 'AYS'],
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 2,

  plan(steps, request) {
    const levels = sigmaSpaceLevels(steps, request);
    const evaluations = interleave(levels, {
      second: ({ next, nextTimestep }) => ({ sigma: next, timestep: nextTimestep }),
      draws: [0, 0],
    });
    return {
      predictionType: request.config.predictionType,
      evaluations: evaluations.map((each) => ({ ...each, timestep: fround(each.timestep) })),
      finalSigma: 0,
      initSigma: initialSigma(levels.sigmas, request.config),
    };
  },

  start: startTwoStage,

  step({ predictionType, evaluations }, i, state, input, out) {
    const { sigma, stage, from, to } = at(evaluations, i);
    const slope = slopeInSigmaSpace(predictionType, sigma);
    const dt = to - from;
    if (stage === 'SECOND') {
      const terms = [
        [1, state.kept],
        [(dt / 2) * slope.fromLatents, input.latents],
        ...outputTerms((dt / 2) * slope.fromOutput, input.output),
      ] as const;
      combine(terms, out);
      return state;
    }
    const { fromLatents, fromOutput } = slope;
    const along = (share: number) => ({
      fromLatents: 1 + share * dt * fromLatents,
      fromOutput: share * dt * fromOutput,
    });
    estimateInto(along(0.5), input, state.kept);
    estimateInto(along(1), input, out);
    return state;
  },
};

import { combine } from '../kernels.ts';
import { splitLevel } from './ancestral.ts';
import { planKdpm2 } from './kdpm2-plan.ts';
import { estimateInto } from './multistep.ts';
import { slopeInSigmaSpace } from './prediction.ts';
import type { Scheduler } from './scheduler.ts';
import { at, drawOf } from './scheduler.ts';
import { SIGMA_SPACE_SCHEDULES, sigmaSpace } from './sigma-space.ts';
import type { TwoStageEvaluation, TwoStageState } from './two-stage.ts';
import { betweenSteps, logMidpoint, startOf } from './two-stage.ts';

/**
 * DPM-Solver-2 with ancestral sampling (`KDPM2AncestralDiscreteScheduler` in diffusers, after k-diffusion's
 * `sample_dpm_2_ancestral`): a midpoint step to a level below the next one, and fresh noise up to it. Two U-Net
 * evaluations per step, but one for the last, which goes to sigma 0. Noise is drawn in second halves alone.
 *
 * The middle of that longer way is, but for rounding, the next level itself.
 */
export const kdpm2AncestralDiscrete: Scheduler<TwoStageState, TwoStageEvaluation> = {
  ...sigmaSpace,
  sigmaSchedules: SIGMA_SPACE_SCHEDULES,
  predictionTypes: ['epsilon', 'v_prediction'],
  evaluationsPerStep: 2,

  plan: (steps, request) =>
    planKdpm2(steps, request, {
      middleOf: (sigma, next) => logMidpoint(sigma, splitLevel(sigma, next).down),
      draws: [0, 1],
    }),

  start: () => betweenSteps,

  step({ predictionType, evaluations }, i, state, input, out) {
    const { sigma, stage, from, to } = at(evaluations, i);
    const slope = slopeInSigmaSpace(predictionType, sigma);
    if (stage === 'FIRST') {
      const start = input.latents.slice();
      const dt = to - from;
      const weights = { fromLatents: 1 + dt * slope.fromLatents, fromOutput: dt * slope.fromOutput };
      estimateInto(weights, input, out);
      return to === 0 ? betweenSteps : { starts: [start] };
    }
    const { down, up } = splitLevel(from, to);
    const dt = down - from;
    const terms = [
      [1, startOf(state)],
      [dt * slope.fromLatents, input.latents],
      [dt * slope.fromOutput, input.output],
      [up, drawOf(input)],
    ] as const;
    combine(terms, out);
    return betweenSteps;
  },
};

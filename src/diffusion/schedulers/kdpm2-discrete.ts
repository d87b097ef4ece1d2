import { combine } from '../kernels.ts';
import { planKdpm2 } from './kdpm2-plan.ts';
import { estimateInto } from './multistep.ts';
import { slopeInSigmaSpace } from './prediction.ts';
import type { Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import { SIGMA_SPACE_SCHEDULES, sigmaSpace } from './sigma-space.ts';
import type { TwoStageEvaluation, TwoStageState } from './two-stage.ts';
import { betweenSteps, logMidpoint, startOf } from './two-stage.ts';

/**
 * The midpoint method on the probability-flow ODE in sigma space, the middle taken in log sigma: DPM-Solver-2
 * (Lu et al. 2022, "DPM-Solver", Algorithm 1; `KDPM2DiscreteScheduler` in diffusers, after k-diffusion's
 * `sample_dpm_2`). Two U-Net evaluations per step, but one for the last, which goes to sigma 0.
 */
export const kdpm2Discrete: Scheduler<TwoStageState, TwoStageEvaluation> = {
  ...sigmaSpace,
  sigmaSchedules: SIGMA_SPACE_SCHEDULES,
  predictionTypes: ['epsilon', 'v_prediction'],
  evaluationsPerStep: 2,

  plan: (steps, request) => planKdpm2(steps, request, { middleOf: logMidpoint, draws: [0, 0] }),

  start: () => betweenSteps,

  step({ predictionType, evaluations }, i, state, input, out) {
    const { sigma, stage, from, to } = at(evaluations, i);
    const slope = slopeInSigmaSpace(predictionType, sigma);
    const dt = to - from;
    const way = { fromLatents: dt * slope.fromLatents, fromOutput: dt * slope.fromOutput };
    if (stage === 'FIRST') {
      const start = input.latents.slice();
      estimateInto({ ...way, fromLatents: 1 + way.fromLatents }, input, out);
      return to === 0 ? betweenSteps : { starts: [start] };
    }
    const terms = [
      [1, startOf(state)],
      [way.fromLatents, input.latents],
      [way.fromOutput, input.output],
    ] as const;
    combine(terms, out);
    return betweenSteps;
  },
};

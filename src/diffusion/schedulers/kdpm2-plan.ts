import type { PlanRequest, SchedulePlan } from './scheduler.ts';
import type { Levels } from './sigma-space.ts';
import { initialSigma, sigmaSpaceLevels } from './sigma-space.ts';
import { logTable, timestepOfSigma, trainingSigmas } from './sigmas.ts';
import { roundHalfEven } from './timesteps.ts';
import type { Stages, TwoStageEvaluation } from './two-stage.ts';
import { interleave } from './two-stage.ts';

/** Where the two KDPM2 schedulers differ. */
export interface Kdpm2Form {
  /** The noise level at which a step from `sigma` to `next` looks a second time. */
  readonly middleOf: (sigma: number, next: number) => number;
  readonly draws: Stages['draws'];
}

/** The plan of both KDPM2 schedulers: whole steps, each with a second evaluation in its middle. */
export function planKdpm2(
  steps: number,
  request: PlanRequest,
  { middleOf, draws }: Kdpm2Form,
): SchedulePlan<TwoStageEvaluation> {
  const levels = levelsOf(steps, request);
  const logs = logTable(trainingSigmas(request.config));
  return {
    predictionType: request.config.predictionType,
    evaluations: interleave(levels, {
      second({ sigma, next }) {
        const middle = middleOf(sigma, next);
        return { sigma: middle, timestep: timestepOfSigma(middle, logs) };
      },
      draws,
    }),
    finalSigma: 0,
    initSigma: initialSigma(levels.sigmas, request.config),
  };
}

/** The two round the timesteps of a Karras curve, and of no other. */
function levelsOf(steps: number, request: PlanRequest): Levels {
  const levels = sigmaSpaceLevels(steps, request);
  if (request.sigmaSchedule !== 'KARRAS') return levels;
  return { ...levels, timesteps: levels.timesteps.map(roundHalfEven) };
}

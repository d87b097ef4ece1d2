import type { SchedulerName } from '../names.ts';
import { withSpacing } from '../plan-schedule.ts';
import { ALIGNED_STEPS_MAX } from '../schedulers/align-your-steps.ts';
import { schedulerOf } from '../schedulers/registry.ts';
import type { PlanRequest } from '../schedulers/scheduler.ts';
import type { StepBounds } from './step-bounds.ts';
import { stepBounds } from './step-bounds.ts';

/** How many steps a run may have. */
export interface StepRange {
  readonly min: number;
  readonly max: number;
}

/** The step counts for which the scheduler gives distinct, falling noise levels and a picture at the end. */
export function stepRange(name: SchedulerName, request: PlanRequest): StepRange {
  const { timesteps, sigmas } = request.options ?? {};
  const listed = timesteps?.length ?? (sigmas && sigmas.length - 1);
  // A list with no step at all is refused as a list, and says nothing of steps.
  if (listed !== undefined && listed > 0) return { min: listed, max: listed };
  const { refused } = boundsOf(name, request);
  const max = schedulerOf(name).stepsMax(withSpacing(request));
  return { min: refused, max: request.sigmaSchedule === 'AYS' ? Math.min(max, ALIGNED_STEPS_MAX) : max };
}

/** The bounds for what a job asks. Where nobody says how timesteps are spaced, the strictest hold. */
export function boundsOf(name: SchedulerName, request: PlanRequest): StepBounds {
  return stepBounds(name, request.sigmaSchedule, withSpacing(request).config.timestepSpacing ?? 'linspace');
}

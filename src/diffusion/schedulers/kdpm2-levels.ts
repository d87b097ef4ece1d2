import { roundHalfEven } from './timesteps.ts';
import type { PlanRequest } from './scheduler.ts';
import type { Levels } from './sigma-space.ts';
import { sigmaSpaceLevels } from './sigma-space.ts';

/** The levels of the two KDPM2 schedulers, which round the timesteps of a Karras curve, and of no other. */
export function kdpm2Levels(steps: number, request: PlanRequest): Levels {
  const levels = sigmaSpaceLevels(steps, request);
  if (request.sigmaSchedule !== 'KARRAS') return levels;
  return { ...levels, timesteps: levels.timesteps.map(roundHalfEven) };
}

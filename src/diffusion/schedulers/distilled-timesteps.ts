import type { SchedulerConfig } from './config.ts';
import { at } from './scheduler.ts';
import { linspace } from './timesteps.ts';

/** Steps of the schedule that consistency models are distilled on; a run takes some of them. */
export const DISTILLED_STEPS = 50;

/** `steps` of the timesteps that a consistency model was distilled at, evenly picked, the noisiest first. */
export function distilledTimesteps(steps: number, { trainTimesteps }: SchedulerConfig): readonly number[] {
  const ratio = Math.floor(trainTimesteps / DISTILLED_STEPS);
  const trained = Array.from({ length: DISTILLED_STEPS }, (_, k) => (DISTILLED_STEPS - k) * ratio - 1);
  return linspace(0, DISTILLED_STEPS, steps + 1)
    .slice(0, steps)
    .map((place) => at(trained, Math.floor(place)));
}

import type { SchedulerConfig } from './config.ts';
import { at } from './scheduler.ts';
import { logTable, timestepOfSigma, trainingSigmas } from './sigmas.ts';
import { linspace, roundHalfEven } from './timesteps.ts';

/** Past this the table says nothing that even spacing does not. */
export const ALIGNED_STEPS_MAX = 100;

// Tuned on Stable Diffusion 1.5 for ten steps (Sabour et al. 2024, "Align Your Steps"); diffusers has the same list.
const TEN_STEPS = [999, 850, 736, 645, 545, 455, 343, 233, 124, 24] as const;

/**
 * The timesteps of an align-your-steps schedule. For other counts than ten the logarithms of the ten noise levels are
 * joined by straight lines, as the paper's authors do, and the levels between are rounded to whole timesteps.
 */
export function alignedTimesteps(steps: number, config: SchedulerConfig): readonly number[] {
  if (steps === TEN_STEPS.length) return TEN_STEPS;
  const logs = logTable(trainingSigmas(config));
  const levels = TEN_STEPS.map((timestep) => at(logs, timestep));
  return linspace(0, levels.length - 1, steps).map((place) => {
    const low = Math.min(Math.floor(place), levels.length - 2);
    const from = at(levels, low);
    const logSigma = from + (at(levels, low + 1) - from) * (place - low);
    return roundHalfEven(timestepOfSigma(Math.exp(logSigma), logs));
  });
}

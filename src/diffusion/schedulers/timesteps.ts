import type { SchedulerConfig, TimestepSpacing } from './config.ts';

/** numpy.linspace: `count` values from `start` to `end`, the last exactly `end`. */
export function linspace(start: number, end: number, count: number): readonly number[] {
  const step = (end - start) / (count - 1);
  return Array.from({ length: count }, (_, k) =>
    k > 0 && k === count - 1 ? end : start + k * (count > 1 ? step : 0),
  );
}

/** Rounds halves to the even neighbour, as numpy and torch do; `Math.round` moves them up. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const excess = x - floor;
  if (excess !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

export interface Division {
  readonly spacing: TimestepSpacing;
  /** How many parts the training range is cut into; those below the `steps` highest are left out. */
  readonly divisions: number;
}

/** `steps` whole timesteps from the noisiest down (Lin et al. 2024, table 2). */
export function wholeTimesteps(
  steps: number,
  config: SchedulerConfig,
  { spacing, divisions }: Division,
): readonly number[] {
  switch (spacing) {
    case 'linspace':
      return linspace(0, config.trainTimesteps - 1, divisions)
        .slice(divisions - steps)
        .map(roundHalfEven)
        .toReversed();
    case 'leading':
      return leadingTimesteps(steps, divisions, config);
    case 'trailing':
      return trailingTimesteps(steps, config.trainTimesteps);
  }
}

/**
 * Timesteps under `trailing` spacing: from the last one down, whole.
 *
 * For 62 values of `steps` up to 1000, numpy's rounding gives diffusers one more entry, timestep -1,
 * and with it a paid evaluation of nothing and, for Euler's Karras curve, another lower end. Here the
 * list has `steps` entries, always.
 */
export function trailingTimesteps(steps: number, trainTimesteps: number): readonly number[] {
  // numpy.arange multiplies the difference of its first two entries, not the step it was given.
  const delta = trainTimesteps - trainTimesteps / steps - trainTimesteps;
  return Array.from({ length: steps }, (_, k) => roundHalfEven(trainTimesteps + k * delta) - 1);
}

/**
 * Timesteps under `leading` spacing: multiples of the whole part of `trainTimesteps / divisions`,
 * falling, `steps` of them above the `divisions - steps` lowest.
 */
export function leadingTimesteps(
  steps: number,
  divisions: number,
  { trainTimesteps, stepsOffset }: SchedulerConfig,
): readonly number[] {
  const ratio = Math.floor(trainTimesteps / divisions);
  return Array.from({ length: steps }, (_, k) => (divisions - 1 - k) * ratio + stepsOffset);
}

import type { SigmaSchedule } from '../names.ts';
import { betaQuantile } from './beta-quantile.ts';
import { linspace } from './timesteps.ts';

/** The sigma schedules that are formulas between two noise levels. */
export const CURVES = ['KARRAS', 'EXPONENTIAL', 'BETA'] as const satisfies readonly SigmaSchedule[];
export type Curve = (typeof CURVES)[number];

// The value of Karras et al. 2022, equation 5; diffusers has it fixed too.
const KARRAS_RHO = 7;
// Lee et al. 2024, "Beta Sampling is All You Need", section 4; diffusers has it fixed too.
const BETA_SHAPE = 0.6;

export interface SigmaRange {
  readonly max: number;
  readonly min: number;
}

/** Narrows a sigma schedule to one that is a formula. */
export function isCurve(schedule: SigmaSchedule): schedule is Curve {
  return CURVES.some((curve) => curve === schedule);
}

/** `steps` noise levels from `max` down to `min`. */
export function curveSigmas(curve: Curve, steps: number, range: SigmaRange): readonly number[] {
  switch (curve) {
    case 'KARRAS':
      return karrasSigmas(steps, range);
    case 'EXPONENTIAL':
      return linspace(Math.log(range.max), Math.log(range.min), steps).map(Math.exp);
    case 'BETA':
      return betaSigmas(steps, range);
  }
}

/** Dense near the end (Karras et al. 2022, equation 5). */
function karrasSigmas(steps: number, { max, min }: SigmaRange): readonly number[] {
  const top = max ** (1 / KARRAS_RHO);
  const bottom = min ** (1 / KARRAS_RHO);
  return linspace(0, 1, steps).map((ramp) => (top + ramp * (bottom - top)) ** KARRAS_RHO);
}

/** Dense at both ends: the quantiles of a beta distribution. */
function betaSigmas(steps: number, { max, min }: SigmaRange): readonly number[] {
  return linspace(0, 1, steps).map((ramp) => min + betaQuantile(1 - ramp, BETA_SHAPE) * (max - min));
}

import type { SigmaSchedule } from '../names.ts';
import { linspace } from './timesteps.ts';

/** The sigma schedules that are formulas between two noise levels. */
export type Curve = Extract<SigmaSchedule, 'KARRAS'>;

// The value of Karras et al. 2022, equation 5; diffusers has it fixed too.
const KARRAS_RHO = 7;

export interface SigmaRange {
  readonly max: number;
  readonly min: number;
}

/** Narrows a sigma schedule to one that is a formula. */
export function isCurve(schedule: SigmaSchedule): schedule is Curve {
  return schedule === 'KARRAS';
}

/** `steps` noise levels from `max` down to `min`. */
export function curveSigmas(curve: Curve, steps: number, range: SigmaRange): readonly number[] {
  switch (curve) {
    case 'KARRAS':
      return karrasSigmas(steps, range);
  }
}

/** Dense near the end (Karras et al. 2022, equation 5). */
function karrasSigmas(steps: number, { max, min }: SigmaRange): readonly number[] {
  const top = max ** (1 / KARRAS_RHO);
  const bottom = min ** (1 / KARRAS_RHO);
  return linspace(0, 1, steps).map((ramp) => (top + ramp * (bottom - top)) ** KARRAS_RHO);
}

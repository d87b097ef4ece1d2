import type { SchedulerName } from '../names.ts';
import type { SchedulePlan } from '../schedulers/scheduler.ts';
import type { Rehearsal } from './rehearse.ts';
import { rehearse } from './rehearse.ts';

/** What becomes of two pictures, a strong one and a faint one, each as a multiple of its own strength. */
export interface Outcome {
  readonly strong: number;
  readonly faint: number;
}

/** GOOD: near what it should be. OFF: visibly too weak or too strong. NOISE: what is left is not a picture. */
export type Verdict = 'GOOD' | 'OFF' | 'NOISE';

// Latents of Stable Diffusion have about this standard deviation, and where a prompt leaves little open much less.
const STRONG = 0.8;
const FAINT = 0.1;

/**
 * The bounds between the verdicts. A quarter off is where contrast is seen to be wrong; of a run that starts from noise
 * of strength 1, a faint picture that ends at 0.85 is that noise.
 */
const OFF = { strong: { min: 0.75, max: 1.25 }, faint: { max: 2 } } as const;
const NOISE = { faint: { max: 8.5 } } as const;

/**
 * How strong a strong picture may end. Looked at, 1.75 times its strength is a motif in noise, and 2.3 times is noise
 * alone: that holds for what a job asks in so many words. For named schedules the tables are more lenient, for the sake
 * of SA_SOLVER with BETA from 20 steps on.
 */
export const STRONG_MAX = { asked: 1.75, named: 3.3 } as const;

/** Rehearses a run with a perfect model. */
export function outcomeOf(
  name: SchedulerName,
  plan: SchedulePlan,
  startsFrom: Rehearsal['startsFrom'],
): Outcome {
  return {
    strong: rehearse(name, plan, { picture: STRONG, startsFrom }) / STRONG,
    faint: rehearse(name, plan, { picture: FAINT, startsFrom }) / FAINT,
  };
}

/** Judges an outcome. Written so that NaN is noise. */
export function judge({ strong, faint }: Outcome, strongMax: number = STRONG_MAX.named): Verdict {
  if (!(strong <= strongMax && faint <= NOISE.faint.max)) return 'NOISE';
  const isGood = strong >= OFF.strong.min && strong <= OFF.strong.max && faint <= OFF.faint.max;
  return isGood ? 'GOOD' : 'OFF';
}

import type { SchedulerName } from '../names.ts';
import type { Level } from '../schedulers/prediction.ts';
import { toLevel } from '../schedulers/prediction.ts';
import { schedulerOf } from '../schedulers/registry.ts';
import type { Evaluation, SchedulePlan } from '../schedulers/scheduler.ts';

/** What is drawn in a rehearsal. */
export interface Rehearsal {
  /** Standard deviation of the pictures' latents. */
  readonly picture: number;
  /** Whether the run starts from a picture, as one with a strength below 1 does, or from noise alone. */
  readonly startsFrom: 'NOISE' | 'PICTURE';
}

/**
 * The standard deviation of the latents that a run ends with when its model makes no mistake: `picture` if the run is
 * a good one, more where noise is left or the solver overshoots, less where the picture is washed out, and NaN where
 * its arithmetic is undefined.
 *
 * The pictures are Gaussian and independent, for which the perfect model is known: it shrinks its input by a factor
 * (the posterior mean). All else in a step is linear too, so the latents are at any time a weighted sum of the
 * draws of noise so far, and the arrays hold their weights: one entry for each draw. The result is exact, and of a run
 * of 50 steps there in less than a millisecond.
 */
export function rehearse(
  name: SchedulerName,
  plan: SchedulePlan,
  { picture, startsFrom }: Rehearsal,
): number {
  const scheduler = schedulerOf(name);
  const { evaluations, initSigma, predictionType } = plan;
  const size = 2 + evaluations.reduce((sum, { draws }) => sum + draws, 0);
  const draws = unitVectors(size);
  const start = draws();
  const latents = start.map((value) => value * initSigma);
  if (startsFrom === 'PICTURE') {
    const clean = draws().map((value) => value * picture);
    scheduler.addNoise(plan, 0, clean, start, latents);
  }
  const input = new Float32Array(size);
  let state = scheduler.start(plan, size);
  for (const [i, evaluation] of evaluations.entries()) {
    scheduler.scaleInput(plan, i, latents, input);
    const output = input.map(answerAt(evaluation, predictionType, picture));
    const noise = Array.from({ length: evaluation.draws }, draws);
    state = scheduler.step(plan, i, state, { latents, output, noise }, latents);
  }
  return Math.hypot(...latents);
}

/** The perfect model's answer to one value of its input, of variance 1 at its level. */
function answerAt(
  { sigma }: Evaluation,
  type: SchedulePlan['predictionType'],
  picture: number,
): (value: number) => number {
  const level = toLevel(sigma);
  const { alpha, std } = level;
  const shrunk = (alpha * picture ** 2) / (alpha ** 2 * picture ** 2 + std ** 2);
  const factor = { sample: shrunk, ...noiseFactors(level, shrunk) }[type];
  return (value) => factor * value;
}

function noiseFactors({ alpha, std }: Level, shrunk: number) {
  const epsilon = (1 - alpha * shrunk) / std;
  return { epsilon, v_prediction: alpha * epsilon - std * shrunk };
}

/** Hands out (1, 0, 0, …), then (0, 1, 0, …) and so on. */
function unitVectors(size: number): () => Float32Array {
  let next = 0;
  return () => {
    const vector = new Float32Array(size);
    vector[next] = 1;
    next += 1;
    return vector;
  };
}

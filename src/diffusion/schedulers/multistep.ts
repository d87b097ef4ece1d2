import { outputTerms } from '../guidance.ts';
import type { Term } from '../kernels.ts';
import { combine } from '../kernels.ts';
import type { Estimate } from './prediction.ts';
import type { Evaluation, SchedulePlan, StepInput } from './scheduler.ts';
import { at, drawOf } from './scheduler.ts';

// Runs below this many steps end with lower orders, which are steadier there.
export const LONG_RUN_STEPS = 15;

/** The next latents as a weighted sum of what is at hand. */
export interface Update {
  readonly latents: number;
  /** Of the estimate of this evaluation, the one before, and so on. */
  readonly estimates: readonly number[];
  readonly noise: number;
}

/** An evaluation of a method that leans on those before it. */
export interface MultistepEvaluation extends Evaluation {
  /** What the method remembers of an evaluation: a denoised picture, noise, or a slope. */
  readonly estimate: Estimate;
  /** What to do with one estimate, with two, and so on; with more than the list has, its last entry. */
  readonly updates: readonly Update[];
  /** How many estimates the method ever needs. */
  readonly memory: number;
}

/** The estimates of the evaluations so far, the newest first. */
export type MultistepState = { readonly history: readonly Float32Array[] };

/** The state before any evaluation. */
export const noHistory: MultistepState = Object.freeze({ history: [] });

/**
 * One step of a linear multistep method: forms this evaluation's estimate, remembers it, and writes
 * the next latents into `out`, which may be the latents.
 */
export function multistep(
  { evaluations }: SchedulePlan<MultistepEvaluation>,
  i: number,
  { history }: MultistepState,
  input: StepInput,
  out: Float32Array,
): MultistepState {
  const entry = at(evaluations, i);
  const remembered = remember(history, entry.memory, out.length);
  estimateInto(entry.estimate, input, at(remembered, 0));
  const update = at(entry.updates, Math.min(remembered.length, entry.updates.length) - 1);
  combine(termsOf(update, input, remembered), out);
  return { history: remembered };
}

/** Writes the weighted sum of latents and output that `estimate` says. */
export function estimateInto(
  { fromLatents, fromOutput }: Estimate,
  { latents, output }: StepInput,
  out: Float32Array,
): void {
  combine([[fromLatents, latents], ...outputTerms(fromOutput, output)], out);
}

/** `update` with its arrays. */
export function termsOf(
  update: Update,
  input: StepInput,
  remembered: readonly Float32Array[],
): readonly Term[] {
  const estimates = update.estimates.map((weight, k): Term => [weight, at(remembered, k)]);
  const noise: readonly Term[] = update.noise === 0 ? [] : [[update.noise, drawOf(input)]];
  return [[update.latents, input.latents], ...estimates, ...noise];
}

/** `history` with room for one more at its front: the oldest array again once `memory` are at hand. */
export function remember(
  history: readonly Float32Array[],
  memory: number,
  size: number,
): readonly Float32Array[] {
  const oldest = history.length >= memory ? history.at(-1) : undefined;
  return [oldest ?? new Float32Array(size), ...history.slice(0, memory - 1)];
}

import type { Term } from '../kernels.ts';
import { combine } from '../kernels.ts';
import type { MultistepEvaluation, Update } from './multistep.ts';
import { estimateInto, remember } from './multistep.ts';
import type { SchedulePlan, StepInput } from './scheduler.ts';
import { at, drawOf } from './scheduler.ts';

/** An evaluation of a method that first corrects the step before with what the U-Net says at its end. */
export interface CorrectedEvaluation extends MultistepEvaluation {
  /**
   * How to take the step before again, by how many estimates it had: weights of the latents that it started
   * from, of the estimates from this evaluation's backwards, and of the noise that it added.
   */
  readonly corrections: readonly Update[];
}

/** Estimates, the newest first; then what the last step started from and added, once there has been one. */
export type CorrectedState = {
  readonly history: readonly Float32Array[];
  readonly starts: readonly Float32Array[];
  readonly noises: readonly Float32Array[];
};

/** The state before any evaluation. */
export const nothingToCorrect: CorrectedState = Object.freeze({ history: [], starts: [], noises: [] });

/**
 * One step: this evaluation's estimate, the step before taken again with it, and from there the next
 * latents into `out`, which may be the latents. The estimate is of the latents as they were evaluated.
 */
export function predictCorrect(
  { evaluations }: SchedulePlan<CorrectedEvaluation>,
  i: number,
  state: CorrectedState,
  input: StepInput,
  out: Float32Array,
): CorrectedState {
  const { estimate, updates, corrections, memory, draws } = at(evaluations, i);
  const before = state.history.length;
  const history = remember(state.history, memory, out.length);
  estimateInto(estimate, input, at(history, 0));
  const [last] = state.starts;
  const start = last ?? input.latents.slice();
  if (last) {
    const correction = at(corrections, Math.min(before, corrections.length) - 1);
    combine(termsOf(correction, { start, history, noises: state.noises }), start);
  }
  const noises = draws > 0 ? [keep(drawOf(input), state.noises)] : [];
  const update = at(updates, Math.min(history.length, updates.length) - 1);
  combine(termsOf(update, { start, history, noises }), out);
  return { history, starts: [start], noises };
}

/** A copy of the draw, in the array of the one before where there is one: the correction has read that. */
function keep(draw: Float32Array, [earlier]: readonly Float32Array[]): Float32Array {
  if (!earlier) return draw.slice();
  earlier.set(draw);
  return earlier;
}

interface AtHand {
  readonly start: Float32Array;
  readonly history: readonly Float32Array[];
  readonly noises: readonly Float32Array[];
}

function termsOf({ latents, estimates, noise }: Update, { start, history, noises }: AtHand): readonly Term[] {
  const weighted = estimates.map((weight, k): Term => [weight, at(history, k)]);
  return [[latents, start], ...weighted, ...noises.map((each): Term => [noise, each])];
}

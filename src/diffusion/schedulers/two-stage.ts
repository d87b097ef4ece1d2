import type { Evaluation } from './scheduler.ts';
import { at } from './scheduler.ts';
import type { Levels } from './sigma-space.ts';

const { fround } = Math;

/**
 * One half of a step that evaluates the U-Net at its start (`FIRST`) and once more further on (`SECOND`).
 * The last step goes to sigma 0, where nothing can be asked of the model, and has a first half only.
 */
export interface TwoStageEvaluation extends Evaluation {
  readonly stage: 'FIRST' | 'SECOND';
  /** Noise level at the start of the whole step. */
  readonly from: number;
  /** Noise level that this half leads to: where the second looks, or the end of the step. */
  readonly to: number;
}

/** What the second half of a step needs of the first. Between steps it means nothing, and the next one writes over it. */
export type TwoStageState = { readonly kept: Float32Array };

/** The state before any step. */
export function startTwoStage(_plan: unknown, size: number): TwoStageState {
  return { kept: new Float32Array(size) };
}

/** A step as the levels give it, in float32. */
export interface WholeStep {
  readonly sigma: number;
  readonly next: number;
  readonly nextTimestep: number;
}

export interface Stages {
  /** Where the second evaluation of a step is. */
  second(step: WholeStep): { readonly sigma: number; readonly timestep: number };
  /** Draws of noise in each half; the last step takes none. */
  readonly draws: readonly [first: number, second: number];
}

/** The evaluations of whole steps between `levels` and from the last of them to sigma 0. */
export function interleave(
  { timesteps, sigmas }: Levels,
  { second, draws }: Stages,
): readonly TwoStageEvaluation[] {
  return timesteps.flatMap((timestep, i): readonly TwoStageEvaluation[] => {
    const sigma = fround(at(sigmas, i));
    const next = fround(sigmas[i + 1] ?? 0);
    const nextTimestep = timesteps[i + 1];
    const first = { timestep, sigma, stage: 'FIRST', from: sigma } as const;
    if (nextTimestep === undefined) return [{ ...first, to: 0, draws: 0 }];
    const inside = second({ sigma, next, nextTimestep });
    return [
      { ...first, to: inside.sigma, draws: draws[0] },
      { ...inside, stage: 'SECOND', from: sigma, to: next, draws: draws[1] },
    ];
  });
}

/** The level half-way between two in log sigma, a float32 value. */
export function logMidpoint(sigma: number, next: number): number {
  return fround(Math.sqrt(sigma * next));
}

import type { PredictionType } from '../../kernel/manifest.ts';
import type { SigmaSchedule } from '../names.ts';
import type { SamplerOptions } from '../sampler-options.ts';
import type { SchedulerConfig } from './config.ts';

/** One U-Net evaluation of a run. Schedulers add what their step needs, worked out once per job. */
export interface Evaluation {
  /** What the U-Net is told; fractional for some schedules. */
  readonly timestep: number;
  /** Noise level, relative to the signal, of the latents that the U-Net is given; a float32 value. */
  readonly sigma: number;
  /** How many draws of standard normal values, each the size of the latents, `step` is given. */
  readonly draws: number;
}

/**
 * The timetable of one run: a plain value, computed once per job and shared by all its pictures.
 * What a step needs to know of its neighbours is in its own entry, so that a run that starts part
 * of the way is the end of the list.
 */
export interface SchedulePlan<Entry extends Evaluation = Evaluation> {
  readonly predictionType: PredictionType;
  /** In order; not always as many as the steps asked for. */
  readonly evaluations: readonly Entry[];
  /** Noise level that the last evaluation leaves: 0, or near it where the scheduler stops short. */
  readonly finalSigma: number;
  /** Standard deviation of the latents at the start of a whole run. */
  readonly initSigma: number;
}

/**
 * What a scheduler remembers between the evaluations of one picture: numbers and arrays only, so
 * that `structuredClone` or any serialiser makes a checkpoint of it.
 */
export type SchedulerState = Readonly<Record<string, number | Float32Array | readonly Float32Array[]>>;

/** The state of a scheduler that remembers nothing: its checkpoint is the latents alone. */
export type Stateless = Readonly<Record<string, never>>;

export interface PlanRequest {
  readonly config: SchedulerConfig;
  readonly sigmaSchedule: SigmaSchedule;
  readonly options?: SamplerOptions;
}

/** The arrays of one evaluation, all of one length. */
export interface StepInput {
  /** The picture as it stands, not scaled for the model. */
  readonly latents: Float32Array;
  /** What the U-Net answered, guidance already applied. */
  readonly output: Float32Array;
  /** As many as the plan's `draws` says for this evaluation. */
  readonly noise: readonly Float32Array[];
}

/**
 * A sampler of diffusers, split into a plan and a pure step.
 *
 * Nothing in it is shared between pictures: the plan is read-only and the state belongs to one
 * picture. `i` is the index of the evaluation, never a timestep, because schedules may repeat one.
 */
export interface Scheduler<
  State extends SchedulerState = SchedulerState,
  Entry extends Evaluation = Evaluation,
> {
  /** Curves that this scheduler can follow. */
  readonly sigmaSchedules: readonly SigmaSchedule[];
  /** What the models that it works with predict. */
  readonly predictionTypes: readonly PredictionType[];
  /** Evaluations of a whole step: 2 for those that look at its middle or end before taking it. */
  readonly evaluationsPerStep: 1 | 2;
  /** The most steps for which `plan` gives distinct, falling noise levels. */
  stepsMax(request: PlanRequest): number;
  /** Lays out a run of `steps` steps. Expects 1 <= steps <= `stepsMax`. */
  plan(steps: number, request: PlanRequest): SchedulePlan<Entry>;
  /** The state before the first evaluation of a picture of `size` latent values. */
  start(plan: SchedulePlan<Entry>, size: number): State;
  /** Writes into `out` what the U-Net is given at evaluation `i`. `out` may be `latents`. */
  scaleInput(plan: SchedulePlan<Entry>, i: number, latents: Float32Array, out: Float32Array): void;
  /** Writes into `out` the latents `clean` with `noise` added up to the level of evaluation `i`. */
  addNoise(
    plan: SchedulePlan<Entry>,
    i: number,
    clean: Float32Array,
    noise: Float32Array,
    out: Float32Array,
  ): void;
  /**
   * Writes the latents after evaluation `i` into `out`, which may be `latents`, and returns the state
   * for the next one. The arrays of `state` are reused: the state given in is spent.
   */
  step(plan: SchedulePlan<Entry>, i: number, state: State, input: StepInput, out: Float32Array): State;
}

/** The one value of `Stateless`. */
export const stateless: Stateless = Object.freeze({});

/** Entry `i` of a table. Throws a `RangeError` outside it: an index there is a bug in the caller. */
export function at<T>(table: readonly T[], i: number): T {
  const value = table[i];
  if (value === undefined) throw new RangeError(`Entry ${i} is outside a table of ${table.length} entries.`);
  return value;
}

/** The draw of noise that a stochastic step was promised. Throws a `RangeError` when it is not there. */
export function drawOf({ noise }: StepInput, k = 0): Float32Array {
  return at(noise, k);
}

/**
 * The last `trunc(steps * strength)` steps of a whole run of `steps`, as the image-to-image pipelines
 * of diffusers take them. Throws a `RangeError` when not even one step is left.
 */
export function startAt<Entry extends Evaluation>(
  plan: SchedulePlan<Entry>,
  {
    steps,
    strength,
    evaluationsPerStep,
  }: { readonly steps: number; readonly strength: number; readonly evaluationsPerStep: number },
): SchedulePlan<Entry> {
  const left = Math.min(Math.trunc(steps * strength), steps);
  if (!(left >= 1)) throw new RangeError(`A strength of ${strength} leaves none of ${steps} steps.`);
  return { ...plan, evaluations: plan.evaluations.slice((steps - left) * evaluationsPerStep) };
}

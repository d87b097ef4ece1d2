import type { PredictionType } from '../../kernel/manifest.ts';
import type { SigmaSchedule } from '../names.ts';
import type { SchedulerConfig } from './config.ts';

/**
 * The timetable of one run: a plain value, computed once per job and shared by all its pictures.
 * `sigmas` has one entry more than `timesteps`: the noise level after the last evaluation.
 */
export interface SchedulePlan {
  readonly predictionType: PredictionType;
  /** U-Net evaluations, which is not always the number of steps asked for. */
  readonly evaluations: number;
  /** What the U-Net is told at each evaluation; fractional for some schedules. */
  readonly timesteps: readonly number[];
  /** Noise level relative to the signal, float32 values, falling to 0 or, for some of DDIM's spacings, near it. */
  readonly sigmas: readonly number[];
  /** Standard deviation of the latents at the start. */
  readonly initSigma: number;
  /** How many draws of standard normal values, each the size of the latents, `step` is given at each evaluation. */
  readonly noiseDraws: readonly number[];
}

/**
 * What a scheduler remembers between the evaluations of one picture: numbers and arrays only, so
 * that `structuredClone` or any serialiser makes a checkpoint of it.
 */
export type SchedulerState = Readonly<Record<string, number | Float32Array>>;

/** The state of a scheduler that remembers nothing: its checkpoint is the latents alone. */
export type Stateless = Readonly<Record<string, never>>;

export interface PlanRequest {
  readonly config: SchedulerConfig;
  readonly sigmaSchedule: SigmaSchedule;
}

/** The arrays of one evaluation, all of one length. */
export interface StepInput {
  /** The picture as it stands, not scaled for the model. */
  readonly latents: Float32Array;
  /** What the U-Net answered, guidance already applied. */
  readonly output: Float32Array;
  /** As many as the plan's `noiseDraws` says for this evaluation. */
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
  Plan extends SchedulePlan = SchedulePlan,
> {
  /** Curves that this scheduler can follow. */
  readonly sigmaSchedules: readonly SigmaSchedule[];
  /** What the models that it works with predict. */
  readonly predictionTypes: readonly PredictionType[];
  /** The most steps for which `plan` gives distinct, falling noise levels. */
  stepsMax(request: PlanRequest): number;
  /** Lays out a run of `steps` steps. Expects 1 <= steps <= `stepsMax`. */
  plan(steps: number, request: PlanRequest): Plan;
  /** The state before the first evaluation of a picture of `size` latent values. */
  start(plan: Plan, size: number): State;
  /** Writes into `out` what the U-Net is given at evaluation `i`. `out` may be `latents`. */
  scaleInput(plan: Plan, i: number, latents: Float32Array, out: Float32Array): void;
  /** Writes into `out` the latents `clean` with `noise` added up to the level of evaluation `i`. */
  addNoise(plan: Plan, i: number, clean: Float32Array, noise: Float32Array, out: Float32Array): void;
  /**
   * Writes the latents after evaluation `i` into `out`, which may be `latents`, and returns the state
   * for the next one. The arrays of `state` are reused: the state given in is spent.
   */
  step(plan: Plan, i: number, state: State, input: StepInput, out: Float32Array): State;
}

/** The one value of `Stateless`. */
export const stateless: Stateless = Object.freeze({});

/** Entry `i` of a plan's table. Throws a `RangeError` outside it: an index there is a bug in the caller. */
export function at(table: readonly number[], i: number): number {
  const value = table[i];
  if (value === undefined)
    throw new RangeError(`Evaluation ${i} is outside a plan of ${table.length} entries.`);
  return value;
}

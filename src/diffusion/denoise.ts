import type { Manifest } from '../kernel/manifest.ts';
import type { Answer } from './guidance.ts';
import { scale } from './kernels.ts';
import type { NormalSource } from './noise/torch-normal.ts';
import { drawNormal, fillNormal, openTorchNormal } from './noise/torch-normal.ts';
import type { GenerationPlan } from './plan.ts';
import { schedulerOf } from './schedulers/registry.ts';
import type { SchedulerState } from './schedulers/scheduler.ts';
import { at } from './schedulers/scheduler.ts';

/**
 * One picture on its way from noise to latents. With the index of the next evaluation it is the
 * whole checkpoint: `structuredClone` it between two calls of `advance`.
 */
export interface Picture {
  readonly seed: bigint;
  /** [1, C, h, w], changed in place by `advance`. */
  readonly latents: Float32Array;
  /** Replaced, and its arrays reused, by `advance`. */
  state: SchedulerState;
  /** Where the picture's noise comes from, `latents` drawn first; goes on in `advance`. */
  readonly noise: NormalSource;
  /** Room for the draws of one evaluation. What is in it means nothing between two calls of `advance`. */
  readonly draws: readonly Float32Array[];
}

/**
 * A picture before its first evaluation: torch's noise for `seed` at the schedule's first level.
 * Noise is drawn per picture and never per batch, so that neighbours cannot change a picture.
 */
export function startPicture(plan: GenerationPlan, seed: bigint): Picture {
  const noise = openTorchNormal(seed);
  const latents = drawNormal(noise, plan.latentSize);
  scale(plan.schedule.initSigma, latents, latents);
  const state = schedulerOf(plan.scheduler).start(plan.schedule, plan.latentSize);
  const drawsMax = plan.schedule.evaluations.reduce((most, { draws }) => Math.max(most, draws), 0);
  const draws = Array.from({ length: drawsMax }, () => new Float32Array(plan.latentSize));
  return { seed, latents, state, noise, draws };
}

/** Writes what the U-Net is given at evaluation `i` into `out`, `plan.latentSize` values. */
export function modelInput(plan: GenerationPlan, picture: Picture, i: number, out: Float32Array): void {
  requireSize(plan.latentSize, out);
  schedulerOf(plan.scheduler).scaleInput(plan.schedule, i, picture.latents, out);
}

/** The timestep that the U-Net is told at evaluation `i`. */
export function timestepOf(plan: GenerationPlan, i: number): number {
  return at(plan.schedule.evaluations, i).timestep;
}

/**
 * Moves `picture` past evaluation `i` with the U-Net's answer for it, in place. Throws a `RangeError`, and changes
 * nothing, when the answer, or a half of it, is not `plan.latentSize` values.
 */
export function advance(plan: GenerationPlan, picture: Picture, i: number, answer: Answer): void {
  for (const values of answer instanceof Float32Array ? [answer] : [answer.uncond, answer.cond]) {
    requireSize(plan.latentSize, values);
  }
  const { latents, state, noise } = picture;
  const draws = picture.draws.slice(0, at(plan.schedule.evaluations, i).draws);
  for (const draw of draws) fillNormal(noise, draw);
  const input = { latents, output: answer, noise: draws };
  picture.state = schedulerOf(plan.scheduler).step(plan.schedule, i, state, input, latents);
}

/** Writes what the VAE decoder is given for `picture` into `out`, of the latents' size. */
export function decoderInput(manifest: Manifest, picture: Picture, out: Float32Array): void {
  requireSize(picture.latents.length, out);
  scale(manifest.decoderScales ? 1 : 1 / manifest.scalingFactor, picture.latents, out);
}

function requireSize(size: number, values: Float32Array): void {
  if (values.length !== size) throw new RangeError(`Expected ${size} latent values, got ${values.length}.`);
}

/**
 * The loops that touch every value of a latent, kept together so that they can be read and measured
 * in one place.
 *
 * All of them are element-wise, so `out` may be the same array as an input. The arithmetic is in
 * double and is rounded to float32 once per value stored, which keeps the error against float32
 * tensors below a part in a million. All arrays of one call have the same length, so `?? 0`
 * only satisfies the type checker.
 */

/** out = factor x. */
export function scale(factor: number, x: Float32Array, out: Float32Array): void {
  for (let k = 0; k < out.length; k += 1) out[k] = factor * (x[k] ?? 0);
}

/** out = out + factor x. */
export function addScaled(factor: number, x: Float32Array, out: Float32Array): void {
  for (let k = 0; k < out.length; k += 1) out[k] = (out[k] ?? 0) + factor * (x[k] ?? 0);
}

/** out = a x + b y. */
export function weightedSum(
  { a, b }: { readonly a: number; readonly b: number },
  { x, y }: { readonly x: Float32Array; readonly y: Float32Array },
  out: Float32Array,
): void {
  for (let k = 0; k < out.length; k += 1) out[k] = a * (x[k] ?? 0) + b * (y[k] ?? 0);
}

export interface MultistepWeights {
  /** denoised = fromLatents x + fromOutput y. */
  readonly fromLatents: number;
  readonly fromOutput: number;
  /** next = latents x + denoised d + previous p. */
  readonly latents: number;
  readonly denoised: number;
  readonly previous: number;
}

/**
 * One two-step update: forms the denoised estimate of this evaluation, combines it with the one
 * before, writes the next latents into `out` and leaves the new estimate in `previous`.
 * `out` may be `latents`; `previous` may be neither.
 */
export function multistep(
  weights: MultistepWeights,
  arrays: { readonly latents: Float32Array; readonly output: Float32Array; readonly previous: Float32Array },
  out: Float32Array,
): void {
  const { latents, output, previous } = arrays;
  for (let k = 0; k < out.length; k += 1) {
    const x = latents[k] ?? 0;
    const denoised = Math.fround(weights.fromLatents * x + weights.fromOutput * (output[k] ?? 0));
    out[k] = weights.latents * x + weights.denoised * denoised + weights.previous * (previous[k] ?? 0);
    previous[k] = denoised;
  }
}

/** out = uncond + factor (cond - uncond). */
export function interpolate(
  factor: number,
  { uncond, cond }: { readonly uncond: Float32Array; readonly cond: Float32Array },
  out: Float32Array,
): void {
  for (let k = 0; k < out.length; k += 1) {
    const u = uncond[k] ?? 0;
    out[k] = u + factor * ((cond[k] ?? 0) - u);
  }
}

/** True when any value is NaN or infinite. */
export function hasNonFinite(values: Float32Array): boolean {
  for (let k = 0; k < values.length; k += 1) {
    if (!Number.isFinite(values[k])) return true;
  }
  return false;
}

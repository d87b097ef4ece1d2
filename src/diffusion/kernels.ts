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

/** A weight and the array that it belongs to. */
export type Term = readonly [weight: number, values: Float32Array];

/** out = the weighted sum of all terms. A term of weight 0 is not read: what it would multiply may be infinite. */
export function combine(terms: readonly Term[], out: Float32Array): void {
  const used = terms.filter(([weight]) => weight !== 0);
  const weights = Float64Array.from(used, ([weight]) => weight);
  const arrays = used.map(([, values]) => values);
  for (let k = 0; k < out.length; k += 1) {
    let sum = 0;
    for (let term = 0; term < arrays.length; term += 1) {
      sum += (weights[term] ?? 0) * (arrays[term]?.[k] ?? 0);
    }
    out[k] = sum;
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

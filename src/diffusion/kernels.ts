/**
 * The loops that touch every value of a latent, kept together so that they can be read and measured
 * in one place.
 *
 * All of them are element-wise, so `out` may be the same array as an input. The arithmetic is in
 * double and is rounded to float32 once per value stored, which keeps the error against float32
 * tensors below a part in a million. All arrays of one call have the same length, so `?? 0`
 * only satisfies the type checker.
 *
 * The length is read before each loop: a loop that asks for it again and again stays in V8's middle tier, at five
 * times the time a value. `npm run bench -- diffusion` measures it.
 */

/** out = factor x. */
export function scale(factor: number, x: Float32Array, out: Float32Array): void {
  const { length } = out;
  for (let k = 0; k < length; k += 1) out[k] = factor * (x[k] ?? 0);
}

/** out = a x + b y. */
export function weightedSum(
  { a, b }: { readonly a: number; readonly b: number },
  { x, y }: { readonly x: Float32Array; readonly y: Float32Array },
  out: Float32Array,
): void {
  const { length } = out;
  for (let k = 0; k < length; k += 1) out[k] = a * (x[k] ?? 0) + b * (y[k] ?? 0);
}

/** A weight and the array that it belongs to. */
export type Term = readonly [weight: number, values: Float32Array];

/**
 * out = the weighted sum of all terms. A term of weight 0 is not read: what it would multiply may be infinite.
 *
 * One loop for each number of terms that schedulers have: a loop over terms inside the one over values takes
 * five times as long. Throws a `RangeError` for more than six.
 */
export function combine(terms: readonly Term[], out: Float32Array): void {
  const [first, second, third, fourth, fifth, sixth, more] = terms.filter(([weight]) => weight !== 0);
  if (more) throw new RangeError('A step has at most six terms.');
  if (!first) out.fill(0);
  else if (!second) scale(...first, out);
  else if (!third) weightedSum({ a: first[0], b: second[0] }, { x: first[1], y: second[1] }, out);
  else if (!fourth) sumOfThree([first, second, third], out);
  else if (!fifth) sumOfFour([first, second, third, fourth], out);
  else if (!sixth) sumOfFive([first, second, third, fourth, fifth], out);
  else sumOfSix([first, second, third, fourth, fifth, sixth], out);
}

function sumOfThree([[a, x], [b, y], [c, z]]: readonly [Term, Term, Term], out: Float32Array): void {
  const { length } = out;
  for (let k = 0; k < length; k += 1) out[k] = a * (x[k] ?? 0) + b * (y[k] ?? 0) + c * (z[k] ?? 0);
}

function sumOfFour(
  [[a, x], [b, y], [c, z], [d, v]]: readonly [Term, Term, Term, Term],
  out: Float32Array,
): void {
  const { length } = out;
  for (let k = 0; k < length; k += 1)
    out[k] = a * (x[k] ?? 0) + b * (y[k] ?? 0) + c * (z[k] ?? 0) + d * (v[k] ?? 0);
}

function sumOfFive(
  [[a, x], [b, y], [c, z], [d, v], [e, w]]: readonly [Term, Term, Term, Term, Term],
  out: Float32Array,
): void {
  const { length } = out;
  for (let k = 0; k < length; k += 1)
    out[k] = a * (x[k] ?? 0) + b * (y[k] ?? 0) + c * (z[k] ?? 0) + d * (v[k] ?? 0) + e * (w[k] ?? 0);
}

function sumOfSix(
  [[a, x], [b, y], [c, z], [d, v], [e, w], [f, u]]: readonly [Term, Term, Term, Term, Term, Term],
  out: Float32Array,
): void {
  const { length } = out;
  for (let k = 0; k < length; k += 1) {
    const half = a * (x[k] ?? 0) + b * (y[k] ?? 0) + c * (z[k] ?? 0);
    out[k] = half + d * (v[k] ?? 0) + e * (w[k] ?? 0) + f * (u[k] ?? 0);
  }
}

/** out = uncond + factor (cond - uncond). */
export function interpolate(
  factor: number,
  { uncond, cond }: { readonly uncond: Float32Array; readonly cond: Float32Array },
  out: Float32Array,
): void {
  const { length } = out;
  for (let k = 0; k < length; k += 1) {
    const u = uncond[k] ?? 0;
    out[k] = u + factor * ((cond[k] ?? 0) - u);
  }
}

/** True when any value is NaN or infinite. */
export function hasNonFinite(values: Float32Array): boolean {
  const { length } = values;
  for (let k = 0; k < length; k += 1) {
    if (!Number.isFinite(values[k])) return true;
  }
  return false;
}

// Enough for the whole of a double: the terms fall by half or more, from one of at most 1.
const TERMS_MAX = 64;
// Newton's method doubles the digits at each turn, from a start that is right to the first.
const TURNS_MAX = 40;

/**
 * The value below which a draw of the beta distribution with both parameters `shape` falls with probability
 * `p`: `scipy.stats.beta.ppf(p, shape, shape)`, for 0 <= p <= 1 and 0 < shape < 1, to about 1e-14.
 */
export function betaQuantile(p: number, shape: number): number {
  // The distribution is its own mirror image, and the series converges fast in the lower half.
  if (p > 0.5) return 1 - betaQuantile(1 - p, shape);
  if (p <= 0) return 0;
  const target = 2 * p * lowerMass(0.5, shape);
  // The leading term alone, x^shape / shape, solved for x.
  let x = Math.min((target * shape) ** (1 / shape), 0.5);
  for (let turn = 0; turn < TURNS_MAX; turn += 1) {
    const density = (x * (1 - x)) ** (shape - 1);
    const moved = x - (lowerMass(x, shape) - target) / density;
    if (Math.abs(moved - x) <= Number.EPSILON * x) return moved;
    x = moved;
  }
  return x;
}

/** The integral of (t (1 - t))^(shape - 1) from 0 to x <= 1/2, by the binomial series of its second factor. */
function lowerMass(x: number, shape: number): number {
  let coefficient = 1;
  let sum = 1 / shape;
  for (let n = 1; n < TERMS_MAX; n += 1) {
    coefficient *= ((n - shape) / n) * x;
    sum += coefficient / (shape + n);
  }
  return x ** shape * sum;
}

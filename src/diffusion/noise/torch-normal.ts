import type { Mt19937 } from './mt19937.ts';
import { next32, seedMt19937 } from './mt19937.ts';

const { fround } = Math;

const BLOCK = 16;
const HALF = 8;
const TWO_PI = fround(2 * Math.PI);

/**
 * A source of standard normal values as it stands; each draw goes on where the one before ended. A plain
 * value, so that a checkpoint of it is a clone.
 */
export interface NormalSource {
  readonly generator: Mt19937;
  /** The second value of a pair whose first has been given. */
  kept: number | null;
}

/** The first `count` values of `torch.randn(count, generator=torch.Generator().manual_seed(seed))`. */
export function torchNormal(seed: bigint, count: number): Float32Array {
  return drawNormal(openTorchNormal(seed), count);
}

/**
 * torch's CPU generator under `randn` in float32: bit for bit below 16 values, and from there on
 * within 1e-6 of an AVX2 build, whose logarithm and sines are approximations of their own. Only the
 * low 32 bits of `seed` count, as in torch.
 */
export function openTorchNormal(seed: bigint): NormalSource {
  return { generator: seedMt19937(seed), kept: null };
}

/** `count` new values in an array of the caller's: see `fillNormal`. */
export function drawNormal(source: NormalSource, count: number): Float32Array {
  const out = new Float32Array(count);
  fillNormal(source, out);
  return out;
}

/**
 * Fills `out` with new values.
 *
 * Two algorithms, as torch has them (`normal_fill` and `normal_distribution` in ATen): a draw of 16
 * values or more is made in blocks of 16, a shorter one value by value in double. The
 * second keeps one value in hand between draws, and block draws in between leave it there.
 */
export function fillNormal(source: NormalSource, out: Float32Array): void {
  if (out.length >= BLOCK) fillBlocks(source.generator, out);
  else for (let k = 0; k < out.length; k += 1) out[k] = drawOne(source);
}

/** Box and Muller, the sine half kept for the next call. */
function drawOne(source: NormalSource): number {
  const { generator, kept } = source;
  if (kept !== null) {
    source.kept = null;
    return kept;
  }
  const angle = 2 * Math.PI * uniform53(generator);
  const radius = Math.sqrt(-2 * Math.log1p(-uniform53(generator)));
  source.kept = radius * Math.sin(angle);
  return radius * Math.cos(angle);
}

/** [0, 1) with 53 bits: the low ones of two words, the first word being the high half. */
function uniform53(generator: Mt19937): number {
  const high = next32(generator) & 0x1fffff;
  return (high * 2 ** 32 + next32(generator)) * 2 ** -53;
}

/** [0, 1) with the 24 bits that a float32 holds. */
function uniform24(generator: Mt19937): number {
  return (next32(generator) & 0xffffff) * 2 ** -24;
}

/**
 * Fills whole blocks; a remainder is covered by drawing the last 16 values again, which overlaps
 * the block before it. That is torch's rule and part of what a seed means.
 */
function fillBlocks(generator: Mt19937, out: Float32Array): void {
  const { length } = out;
  for (let k = 0; k < length; k += 1) out[k] = uniform24(generator);
  for (let start = 0; start + BLOCK <= length; start += BLOCK) transformBlock(out, start);
  if (length % BLOCK === 0) return;
  const last = length - BLOCK;
  for (let k = last; k < length; k += 1) out[k] = uniform24(generator);
  transformBlock(out, last);
}

/** Value j gives the radius of a pair and value j + 8 its angle. */
function transformBlock(out: Float32Array, start: number): void {
  for (let j = start; j < start + HALF; j += 1) {
    const radius = fround(Math.sqrt(-2 * Math.log(1 - (out[j] ?? 0))));
    const angle = fround(TWO_PI * (out[j + HALF] ?? 0));
    out[j] = radius * Math.cos(angle);
    out[j + HALF] = radius * Math.sin(angle);
  }
}

const WORDS = 624;
const MIDDLE = 397;
const UPPER = 0x80000000;
const LOWER = 0x7fffffff;
const TWIST = 0x9908b0df;
const SEED_MULTIPLIER = 1812433253;

/** A Mersenne Twister as it stands: a plain value, so that a checkpoint of it is a clone. */
export interface Mt19937 {
  readonly words: Uint32Array;
  /** The word to give next; `words.length` when all have been given. */
  next: number;
}

/**
 * The 32-bit Mersenne Twister (Matsumoto and Nishimura 1998; `at::mt19937` in torch), seeded as
 * torch's CPU generator does it: with the low 32 bits of the seed alone, so that 2^32 equals 0.
 */
export function seedMt19937(seed: bigint): Mt19937 {
  const words = new Uint32Array(WORDS);
  let word = Number(BigInt.asUintN(32, seed));
  words[0] = word;
  for (let k = 1; k < WORDS; k += 1) {
    word = (Math.imul(SEED_MULTIPLIER, word ^ (word >>> 30)) + k) >>> 0;
    words[k] = word;
  }
  return { words, next: WORDS };
}

/** The next word, 0 to 2^32 - 1. */
export function next32(generator: Mt19937): number {
  if (generator.next === WORDS) twist(generator);
  let word = generator.words[generator.next] ?? 0;
  generator.next += 1;
  word ^= word >>> 11;
  word ^= (word << 7) & 0x9d2c5680;
  word ^= (word << 15) & 0xefc60000;
  return (word ^ (word >>> 18)) >>> 0;
}

/** In the three stretches in which no index runs over the end: a remainder for each would take as long as all else. */
function twist(generator: Mt19937): void {
  const { words } = generator;
  const wrap = WORDS - MIDDLE;
  for (let k = 0; k < wrap; k += 1) words[k] = twisted(words, k, k + 1) ^ (words[k + MIDDLE] ?? 0);
  for (let k = wrap; k < WORDS - 1; k += 1) words[k] = twisted(words, k, k + 1) ^ (words[k - wrap] ?? 0);
  words[WORDS - 1] = twisted(words, WORDS - 1, 0) ^ (words[MIDDLE - 1] ?? 0);
  generator.next = 0;
}

function twisted(words: Uint32Array, k: number, following: number): number {
  const joined = ((words[k] ?? 0) & UPPER) | ((words[following] ?? 0) & LOWER);
  return (joined >>> 1) ^ (joined & 1 ? TWIST : 0);
}

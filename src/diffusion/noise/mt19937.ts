const WORDS = 624;
const MIDDLE = 397;
const UPPER = 0x80000000;
const LOWER = 0x7fffffff;
const TWIST = 0x9908b0df;
const SEED_MULTIPLIER = 1812433253;

/**
 * The 32-bit Mersenne Twister (Matsumoto and Nishimura 1998; `at::mt19937` in torch), seeded as
 * torch's CPU generator does it: with the low 32 bits of the seed alone, so that 2^32 equals 0.
 */
export class Mt19937 {
  readonly #state = new Uint32Array(WORDS);
  #next = WORDS;

  constructor(seed: bigint) {
    let word = Number(BigInt.asUintN(32, seed));
    this.#state[0] = word;
    for (let k = 1; k < WORDS; k += 1) {
      word = (Math.imul(SEED_MULTIPLIER, word ^ (word >>> 30)) + k) >>> 0;
      this.#state[k] = word;
    }
  }

  /** The next word, 0 to 2^32 - 1. */
  next32(): number {
    if (this.#next === WORDS) this.#twist();
    let word = this.#state[this.#next] ?? 0;
    this.#next += 1;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  #twist(): void {
    const state = this.#state;
    for (let k = 0; k < WORDS; k += 1) {
      const joined = ((state[k] ?? 0) & UPPER) | ((state[(k + 1) % WORDS] ?? 0) & LOWER);
      const mixed = (joined >>> 1) ^ (joined & 1 ? TWIST : 0);
      state[k] = (state[(k + MIDDLE) % WORDS] ?? 0) ^ mixed;
    }
    this.#next = 0;
  }
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { next32, seedMt19937 } from './mt19937.ts';

const words = (seed: bigint, count: number) => {
  const generator = seedMt19937(seed);
  return Array.from({ length: count }, () => next32(generator));
};

describe('the Mersenne Twister', () => {
  it("gives the reference implementation's words", () => {
    expect(words(0n, 2)).toEqual([2357136044, 2546248239]);
    // The 10,000th word for the default seed is what ISO C++ promises of std::mt19937.
    expect(words(5489n, 10_000).at(-1)).toBe(4123659995);
  });

  it('reads the low 32 bits of the seed and no others', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (seed) => {
        expect(words(seed, 4)).toEqual(words(seed % 2n ** 32n, 4));
      }),
    );
  });
});

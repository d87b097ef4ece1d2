import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combineGuidance } from './guidance.ts';
import { hasNonFinite, weightedSum } from './kernels.ts';

const floats = fc.float32Array({
  minLength: 1,
  maxLength: 40,
  noNaN: true,
  noDefaultInfinity: true,
  min: -100,
  max: 100,
});
const pairs = floats.chain((x) =>
  fc
    .float32Array({ minLength: x.length, maxLength: x.length, noNaN: true, min: -100, max: 100 })
    .map((y) => ({ x, y })),
);

describe('latent arithmetic', () => {
  it('gives the same numbers in place as into another array', () => {
    fc.assert(
      fc.property(pairs, ({ x, y }) => {
        const apart = new Float32Array(x.length);
        weightedSum({ a: 0.3, b: -1.7 }, { x, y }, apart);
        weightedSum({ a: 0.3, b: -1.7 }, { x, y }, x);
        expect(x).toEqual(apart);
      }),
    );
  });

  it('finds a single value that is not finite, wherever it is', () => {
    fc.assert(
      fc.property(
        floats,
        fc.nat(),
        fc.constantFrom(Number.NaN, Infinity, -Infinity),
        (values, place, bad) => {
          expect(hasNonFinite(values)).toBe(false);
          values[place % values.length] = bad;
          expect(hasNonFinite(values)).toBe(true);
        },
      ),
    );
  });
});

describe('guidance', () => {
  it('is the condition at scale 1, the negative at 0, and each row by itself', () => {
    fc.assert(
      fc.property(pairs, ({ x: uncond, y: cond }) => {
        const out = new Float32Array(cond.length);
        combineGuidance(uncond, cond, 1, out);
        for (const [k, value] of out.entries()) expect(value).toBeCloseTo(cond[k] ?? 0, 5);
        combineGuidance(uncond, cond, 0, out);
        expect(out.map((value) => value + 0)).toEqual(uncond.map((value) => value + 0));
      }),
    );
  });
});

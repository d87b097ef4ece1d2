import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guidedAnswer, outputTerms } from './guidance.ts';
import { combine, hasNonFinite, weightedSum } from './kernels.ts';

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
        const with1 = guidedAnswer({ uncond, cond, scale: 1 });
        for (const [k, value] of with1.entries()) expect(value).toBeCloseTo(cond[k] ?? 0, 5);
        const with0 = guidedAnswer({ uncond, cond, scale: 0 });
        expect(with0.map((value) => value + 0)).toEqual(uncond.map((value) => value + 0));
      }),
    );
  });

  it('joined in a step comes to what it comes to before it', () => {
    fc.assert(
      fc.property(pairs, fc.double({ min: 0, max: 20, noNaN: true }), ({ x: uncond, y: cond }, scale) => {
        const [joined, before] = [new Float32Array(cond.length), new Float32Array(cond.length)];
        combine(outputTerms(0.5, { uncond, cond, scale }), joined);
        combine(outputTerms(0.5, guidedAnswer({ uncond, cond, scale })), before);
        for (const [k, value] of joined.entries()) expect(value).toBeCloseTo(before[k] ?? 0, 3);
      }),
    );
  });
});

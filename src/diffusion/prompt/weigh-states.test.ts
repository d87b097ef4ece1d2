import fc from 'fast-check';
import { expect, it } from 'vitest';
import { weighStates } from './weigh-states.ts';

const weighed = (states: readonly number[], weights: readonly number[]) => {
  const own = Float32Array.from(states);
  weighStates(own, weights);
  return [...own];
};
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

it('a weight counts a position more, and the chunk keeps its mean', () => {
  const [a = 0, b = 0, c = 0, d = 0] = weighed([1, 3, 2, 4], [1, 1.5]);
  expect(b / a).toBeCloseTo(3);
  expect(d / c).toBeCloseTo(2);
  expect(c / a).toBeCloseTo(3);
  expect(mean([a, b, c, d])).toBeCloseTo(2.5);
});

it('the mean is given back within a factor of two, and not at all where its sign has changed', () => {
  expect(weighed([4, -3], [1, 1.25])).toEqual([8, -7.5]);
  expect(weighed([1, 1], [1, 9])).toEqual([0.5, 4.5]);
  expect(weighed([4, -3], [1, 2])).toEqual([4, -6]);
  expect(weighed([1, -1], [1, 1])).toEqual([1, -1]);
});

it('never gives a number that is not finite, for any weights that a prompt may have', () => {
  const value = fc.float({ min: -100, max: 100, noNaN: true });
  const weight = fc.float({ min: -10, max: 10, noNaN: true });
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value, weight), { minLength: 1, maxLength: 77 }), (rows) => {
      const states = rows.flatMap(([a, b]) => [a, b]);
      const weights = rows.map(([, , each]) => each);
      expect(weighed(states, weights).every(Number.isFinite)).toBe(true);
    }),
  );
});

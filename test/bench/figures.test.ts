import { describe as group, expect, it } from 'vitest';
import { describe, figureOf, percentile } from './figures.ts';

const ABOUT = { name: 'serve.rate', reference: 'a bare loop', aim: '>= 0.9', unit: 'pictures/s' };
const PAIRS = [
  { value: 10, reference: 10 },
  { value: 1, reference: 2 },
  { value: 6, reference: 30 },
];

group('a figure', () => {
  it('is the median of the ratios of the pairs, not the ratio of the medians', () => {
    expect(figureOf(ABOUT, PAIRS)).toEqual({
      name: 'serve.rate',
      ratio: 0.5,
      spread: [0.2, 1],
      pairs: 3,
      reference: 'a bare loop',
      aim: '>= 0.9',
      measured: { value: 6, reference: 10, unit: 'pictures/s' },
    });
    expect(figureOf(ABOUT, [...PAIRS, { value: 8, reference: 10 }])).toMatchObject({ ratio: 0.65, pairs: 4 });
  });

  it('is one line with everything in it for a person', () => {
    expect(describe(figureOf(ABOUT, PAIRS))).toBe(
      'serve.rate: 0.5 of a bare loop (0.2 to 1 in 3 pairs; 6 against 10 pictures/s), aim >= 0.9',
    );
  });
});

group('a percentile', () => {
  it('is the least value that the share does not exceed', () => {
    const values = Array.from({ length: 200 }, (_, i) => 200 - i);
    expect([0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([100, 198, 200]);
    expect(percentile([], 0.99)).toBeNaN();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawNormal, openTorchNormal, torchNormal } from './torch-normal.ts';

const seeds = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

describe("torch's noise", () => {
  it('is drawn, not made: one draw of whole blocks equals the same blocks drawn one after another', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
        (seed, blocks) => {
          const source = openTorchNormal(seed);
          const pieces = blocks.flatMap((count) => [...drawNormal(source, 16 * count)]);
          expect(pieces).toEqual([...torchNormal(seed, pieces.length)]);
        },
      ),
    );
  });

  it('gives the same values for a seed whatever was drawn for another', () => {
    fc.assert(
      fc.property(seeds, seeds, fc.integer({ min: 1, max: 64 }), (seed, other, count) => {
        const source = openTorchNormal(seed);
        drawNormal(openTorchNormal(other), count);
        expect(drawNormal(source, count)).toEqual(torchNormal(seed, count));
      }),
    );
  });

  it('gives the values of torch for seed 0, below 16 and above', () => {
    const short = [1.54099607, -0.293428898, -2.17878938, 0.568431258, -1.08452237];
    expect([...torchNormal(0n, 5)]).toEqual(short.map(Math.fround));
    const starts = {
      16: [-1.12583983, -1.1523602, -0.250578582],
      17: [-1.12583983, -1.6959312, 0.566650629],
    };
    for (const [count, start] of Object.entries(starts)) {
      for (const [k, value] of start.entries())
        expect(torchNormal(0n, Number(count))[k]).toBeCloseTo(value, 6);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { drawNormal, openTorchNormal, torchNormal } from '../../src/diffusion/index.ts';
import { maxError, readCases, readFloats } from './recorded.ts';

interface NoiseCase {
  readonly seed: string;
  readonly counts: readonly number[];
  readonly offset: number;
}

const cases = readCases<NoiseCase>('noise.json');
const recorded = readFloats('noise.f32.gz');

// From 16 values on torch uses vector approximations of the logarithm and the sines.
const BLOCK = 16;
const TOLERANCE = 1e-6;

describe("torch's noise", () => {
  it.each(cases)(
    'seed $seed gives the values of torch.randn for draws of $counts',
    ({ seed, counts, offset }) => {
      const source = openTorchNormal(BigInt(seed));
      const [first = 0] = counts;
      expect(torchNormal(BigInt(seed), first)).toEqual(drawNormal(openTorchNormal(BigInt(seed)), first));
      let start = offset;
      for (const count of counts) {
        const expected = recorded.subarray(start, start + count);
        const drawn = drawNormal(source, count);
        expect(maxError(drawn, expected)).toBeLessThanOrEqual(count < BLOCK ? 0 : TOLERANCE);
        start += count;
      }
    },
  );
});

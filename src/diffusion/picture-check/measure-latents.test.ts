import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { torchNormal } from '../noise/torch-normal.ts';
import type { LatentShape } from './measure-latents.ts';
import { noiseSlope, rootMeanSquare, roughnessOf } from './measure-latents.ts';

const SHAPE: LatentShape = [4, 32, 24];
const SIZE = 4 * 32 * 24;
const seeds = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n });
const gains = fc.double({ min: 0.1, max: 50, noNaN: true });
const offsets = fc.double({ min: -20, max: 20, noNaN: true });

/** Rises evenly over each channel, and differs from one to the next. */
const slope = Float32Array.from({ length: SIZE }, (_, k) => (k % (32 * 24)) / 20 + Math.floor(k / (32 * 24)));

describe('roughness', () => {
  it('is about 1 for white noise and near 0 for a slope', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const roughness = roughnessOf(torchNormal(seed, SIZE), SHAPE);
        expect(roughness).toBeGreaterThan(0.85);
        expect(roughness).toBeLessThan(1.15);
      }),
    );
    expect(roughnessOf(slope, SHAPE)).toBeLessThan(0.1);
  });

  it('does not depend on how strong the latents are, nor on what is added to a channel', () => {
    fc.assert(
      fc.property(seeds, gains, offsets, (seed, gain, offset) => {
        const noise = torchNormal(seed, SIZE);
        const moved = noise.map((value, k) => gain * value + offset * Math.floor(k / (32 * 24)));
        expect(roughnessOf(moved, SHAPE)).toBeCloseTo(roughnessOf(noise, SHAPE), 3);
      }),
    );
  });

  it('is 0 where no channel changes', () => {
    expect(roughnessOf(new Float32Array(SIZE).fill(3), SHAPE)).toBe(0);
    expect(roughnessOf(Float32Array.of(1, 2, 3, 4), [4, 1, 1])).toBe(0);
  });
});

describe('the slope of noise', () => {
  it('is what the input was multiplied by, whatever is added to a channel', () => {
    fc.assert(
      fc.property(seeds, fc.double({ min: -3, max: 3, noNaN: true }), offsets, (seed, factor, offset) => {
        const input = torchNormal(seed, SIZE);
        const output = input.map((value, k) => factor * value + offset * Math.floor(k / (32 * 24)));
        expect(noiseSlope(input, output, SHAPE)).toBeCloseTo(factor, 3);
      }),
    );
  });

  it('stays near what it was when something smooth and stronger is added', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const input = torchNormal(seed, SIZE);
        const output = input.map((value, k) => value + 2 * (slope[k] ?? 0));
        expect(Math.abs(noiseSlope(input, output, SHAPE) - 1)).toBeLessThan(0.25);
      }),
    );
  });

  it('is 0 where the input does not change', () => {
    expect(noiseSlope(new Float32Array(SIZE), slope, SHAPE)).toBe(0);
  });
});

describe('the root mean square', () => {
  it('is the strength of noise, and 0 of nothing', () => {
    expect(rootMeanSquare(torchNormal(1n, 4_096).map((value) => 3 * value))).toBeCloseTo(3, 0);
    expect(rootMeanSquare(new Float32Array())).toBe(0);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { torchNormal } from '../noise/torch-normal.ts';
import { judgePicture } from './judge-picture.ts';

const CELLS = 32;
const PLANE = CELLS ** 2;
const SIZE = 4 * PLANE;
const SIDE = 8 * CELLS;
const plan = { latentShape: [4, CELLS, CELLS] } as const;
const seeds = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n });

/** Colours the cells by `levels`, which is three planes in units of a strong colour. */
function cells(levels: Float32Array) {
  const data = Uint8ClampedArray.from({ length: SIDE * SIDE * 3 }, (_, k) => {
    const [x, y] = [Math.floor(k / 3) % SIDE, Math.floor(k / 3 / SIDE)];
    const cell = (k % 3) * PLANE + Math.floor(y / 8) * CELLS + Math.floor(x / 8);
    return 128 + 80 * (levels[cell] ?? 0);
  });
  return { width: SIDE, height: SIDE, data: new Uint8Array(data) };
}

const smooth = Float32Array.from({ length: SIZE }, (_, k) => Math.sin((k % CELLS) / 3));

describe('a finished picture', () => {
  it('that is noise all over is OUTPUT_IS_NOISE', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const latents = torchNormal(seed, SIZE);
        const fault = judgePicture(plan, { latents, pixels: cells(latents) });
        expect(fault).toMatchObject({ code: 'OUTPUT_IS_NOISE', kind: 'NOISE' });
      }),
      { numRuns: 20 },
    );
  });

  it('passes when its latents are smooth, or some of its cells are quiet, or its colours change little', () => {
    const latents = torchNormal(7n, SIZE);
    const judge = (levels: Float32Array, behind = latents) =>
      judgePicture(plan, { latents: behind, pixels: cells(levels) });
    expect(judge(latents)).not.toBeNull();
    expect(judge(latents, smooth)).toBeNull();
    // Four of 32 rows, as of a background that shows.
    expect(judge(latents.map((value, k) => (k % PLANE < 4 * CELLS ? 0 : value)))).toBeNull();
    expect(judge(latents.map((value) => value / 4))).toBeNull();
  });

  it('is not taken for noise when it is stronger than noise was: guidance overshoots like that', () => {
    const latents = torchNormal(7n, SIZE);
    const at = (factor: number) =>
      judgePicture(plan, { latents: latents.map((value) => factor * value), pixels: cells(latents) });
    expect(at(1.2)).not.toBeNull();
    expect(at(1.5)).toBeNull();
  });

  it('that is many times as strong as a picture is OUTPUT_IS_NOISE, however smooth', () => {
    const latents = smooth.map((value) => 200 * value);
    const fault = judgePicture(plan, { latents, pixels: cells(smooth) });
    expect(fault).toMatchObject({ code: 'OUTPUT_IS_NOISE', kind: 'SATURATED' });
  });

  it('of one colour is OUTPUT_IS_FLAT, and one that just can be seen is not', () => {
    const step = (levels: number) =>
      cells(Float32Array.from({ length: SIZE }, (_, k) => (k % CELLS < CELLS / 2 ? 0 : levels / 80)));
    expect(judgePicture(plan, { latents: smooth, pixels: step(4) })).toMatchObject({
      code: 'OUTPUT_IS_FLAT',
      kind: 'FLAT',
    });
    expect(judgePicture(plan, { latents: smooth, pixels: step(5) })).toBeNull();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { torchNormal } from '../noise/torch-normal.ts';
import { judgePicture } from './judge-picture.ts';

const guidance = { form: 'IN_GRAPH', part: 'unet_cfg', scale: 4 } as const;
const plan = { latentShape: [4, 16, 16], guidance } as const;
const SIDE = 128;
const seeds = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n });

/** Colours the cells by `levels`, which is three planes of 16 by 16 in units of a strong colour. */
function cells(levels: Float32Array) {
  const data = Uint8ClampedArray.from({ length: SIDE * SIDE * 3 }, (_, k) => {
    const [x, y] = [Math.floor(k / 3) % SIDE, Math.floor(k / 3 / SIDE)];
    const cell = (k % 3) * 256 + Math.floor(y / 8) * 16 + Math.floor(x / 8);
    return 128 + 80 * (levels[cell] ?? 0);
  });
  return { width: SIDE, height: SIDE, data: new Uint8Array(data) };
}

const smooth = Float32Array.from({ length: 1_024 }, (_, k) => Math.sin((k % 16) / 3));

describe('a finished picture', () => {
  it('that is noise all over is OUTPUT_IS_NOISE', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const latents = torchNormal(seed, 1_024);
        const fault = judgePicture(plan, { latents, pixels: cells(latents) });
        expect(fault).toMatchObject({ code: 'OUTPUT_IS_NOISE', kind: 'NOISE' });
      }),
      { numRuns: 20 },
    );
  });

  it('passes when it is smooth, or has rough latents and a quiet background, or is quiet in all', () => {
    const latents = torchNormal(7n, 1_024);
    const half = latents.map((value, k) => (k % 256 < 128 ? 0 : value));
    expect(judgePicture(plan, { latents: smooth, pixels: cells(smooth) })).toBeNull();
    expect(judgePicture(plan, { latents, pixels: cells(half) })).toBeNull();
    expect(judgePicture(plan, { latents, pixels: cells(latents.map((value) => value / 10)) })).toBeNull();
  });

  it('is not taken for noise where guidance overshoots', () => {
    const latents = torchNormal(7n, 1_024);
    const at = (scale: number) => ({ ...plan, guidance: { ...guidance, scale } });
    expect(judgePicture(at(10), { latents, pixels: cells(latents) })).not.toBeNull();
    expect(judgePicture(at(10.5), { latents, pixels: cells(latents) })).toBeNull();
  });

  it('that is many times as strong as a picture is OUTPUT_IS_NOISE, however smooth', () => {
    const latents = smooth.map((value) => 200 * value);
    const fault = judgePicture(plan, { latents, pixels: cells(smooth) });
    expect(fault).toMatchObject({ code: 'OUTPUT_IS_NOISE', kind: 'SATURATED' });
  });

  it('of one colour is OUTPUT_IS_FLAT, and one that just can be seen is not', () => {
    const step = (levels: number) =>
      cells(Float32Array.from({ length: 768 }, (_, k) => (k % 16 < 8 ? 0 : levels / 80)));
    expect(judgePicture(plan, { latents: smooth, pixels: step(4) })).toMatchObject({
      code: 'OUTPUT_IS_FLAT',
      kind: 'FLAT',
    });
    expect(judgePicture(plan, { latents: smooth, pixels: step(5) })).toBeNull();
  });
});

import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Settings } from '../../src/diffusion/index.ts';
import { resolveSettings } from '../../src/diffusion/index.ts';
import type { Painter } from './pico.ts';
import { openPainter } from './pico.ts';
import { maxAbs, maxError, readCases, readFixture, readFloats, readManifest } from './recorded.ts';

interface PictureCase {
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly seed: string;
}

function recordedSettings(): Settings {
  const [recorded] = readCases<PictureCase>('picture.json');
  if (!recorded) throw new Error('picture.json holds no case.');
  return resolveSettings(readManifest(), { ...recorded, seed: BigInt(recorded.seed) });
}

function meanDifference(actual: Uint8Array, expected: Uint8Array): number {
  expect(actual).toHaveLength(expected.length);
  return actual.reduce((sum, value, k) => sum + Math.abs(value - (expected[k] ?? 0)), 0) / expected.length;
}

describe('a picture of pico', () => {
  const settings = recordedSettings();
  let painter: Painter;
  beforeAll(async () => {
    painter = await openPainter();
  });
  afterAll(() => painter[Symbol.asyncDispose]());

  it('is the one that diffusers draws from the same graphs, within one level of 255 on average', async () => {
    const expected = await sharp(readFixture('picture.png')).removeAlpha().raw().toBuffer();
    const { latents, pixels } = await painter.draw(settings);

    expect(meanDifference(pixels, expected)).toBeLessThanOrEqual(1);
    const expectedLatents = readFloats('picture-latents.f32.gz');
    expect(maxError(latents, expectedLatents)).toBeLessThanOrEqual(1e-3 * maxAbs(expectedLatents));
  });

  it('is the same bytes each time', async () => {
    const first = await painter.draw(settings);
    const second = await painter.draw(settings);

    expect(second.latents).toEqual(first.latents);
    expect(second.pixels).toEqual(first.pixels);
  });

  it('is the same when guidance is applied outside the graph', async () => {
    const inside = await painter.draw(settings);
    const outside = await painter.draw(settings, { isGraphless: true });

    expect(meanDifference(outside.pixels, inside.pixels)).toBeLessThanOrEqual(1);
  });

  it('follows the prompt alone when the guidance scale switches guidance off', async () => {
    const at1 = await painter.draw({ ...settings, guidanceScale: 1, steps: 4 });
    const at0 = await painter.draw({ ...settings, guidanceScale: 0, negativePrompt: 'a castle', steps: 4 });

    expect(at0.latents).toEqual(at1.latents);
  });
});

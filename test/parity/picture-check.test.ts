import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgePictures } from '../support/judged-pictures.ts';
import type { PicoBundle } from '../support/pico-bundle.ts';
import { openPicoBundle } from '../support/pico-bundle.ts';
import { quickGoodCases, wrongCases } from '../support/picture-cases.ts';

// A small part of what `npm run bench -- pictures` draws.

describe('the picture check', () => {
  let bundle: PicoBundle;
  beforeAll(async () => {
    bundle = await openPicoBundle('pico');
  });
  afterAll(() => bundle[Symbol.asyncDispose]());

  it('refuses no picture that a scheduler which suits pico draws as it should', async () => {
    let pictures = 0;
    for (const { recipe, wishes } of quickGoodCases(6)) {
      const faults = await judgePictures(bundle, recipe, wishes);
      pictures += faults.length;
      expect(
        faults.filter((fault) => fault !== null),
        recipe.scheduler,
      ).toEqual([]);
    }
    process.stdout.write(`picture check: 0 of ${pictures} good pictures refused\n`);
    expect(pictures).toBe(120);
  });

  it.each(wrongCases(['EULER_DISCRETE']).map((each) => [each.kind, each] as const))(
    'refuses every picture drawn with %s',
    async (kind, { recipe, wishes }) => {
      const faults = await judgePictures(bundle, recipe, wishes);
      const refused = faults.filter((fault) => fault !== null);
      process.stdout.write(`picture check: ${refused.length} of ${faults.length} refused with ${kind}\n`);
      expect(refused).toHaveLength(wishes.length);
    },
  );
});

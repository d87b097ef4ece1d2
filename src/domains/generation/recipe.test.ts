import { describe, expect, it } from 'vitest';
import type { Recipe } from './recipe.ts';
import { recipeReader, toRecipeJson } from './recipe.ts';

const TOKENS = { ids: [1, 2], tokenCount: 2, isTruncated: false };
const RECIPE: Recipe = {
  platformVersion: '0.1.0',
  variant: 'pico',
  versionDigest: 'd1',
  settings: {
    prompt: 'an apple',
    negativePrompt: '',
    width: 128,
    height: 128,
    steps: 20,
    guidanceScale: 4,
    scheduler: 'EULER_DISCRETE',
    sigmaSchedule: 'DEFAULT',
    seed: 2n ** 64n - 1n,
    imageCount: 1,
    previewEverySteps: 5,
    outputFormat: 'PNG',
  },
  prompt: TOKENS,
  negativePrompt: TOKENS,
};

function thrownBy(work: () => unknown): unknown {
  try {
    work();
    return null;
  } catch (error) {
    return error;
  }
}

describe('a stored recipe', () => {
  it('is read as it was written', () => {
    expect(recipeReader(toRecipeJson(RECIPE))()).toEqual(RECIPE);
  });

  it.each([
    null,
    'x',
    {},
    { ...toRecipeJson(RECIPE), settings: { ...toRecipeJson(RECIPE).settings, seed: 'x' } },
  ])('that is damaged throws one error, however often it is read: %j', (json) => {
    const read = recipeReader(json);
    const error = thrownBy(read);
    expect(error).toBeInstanceOf(Error);
    expect(thrownBy(read)).toBe(error);
  });
});

import { describe, expect, it } from 'vitest';
import type { Recipe } from './recipe.ts';
import { recipeReader, toRecipeJson } from './recipe.ts';

const PLAIN = { chunks: [{ ids: [1, 2], weights: null }], tokenCount: 2, isTruncated: false };
const WEIGHTED = {
  chunks: [
    { ids: [1, 2], weights: [1, 1.5] },
    { ids: [1, 3], weights: null },
  ],
  tokenCount: 2,
  isTruncated: true,
};
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
    samplerOptions: { eta: 0.5, sigmas: [14.6, 0.03, 0], algorithm: 'sde-dpmsolver++', solverOrder: 2 },
    clipSkip: 2,
    seed: 2n ** 64n - 1n,
    imageCount: 1,
    previewEverySteps: 5,
    outputFormat: 'PNG',
  },
  prompt: WEIGHTED,
  negativePrompt: PLAIN,
  findings: [
    {
      code: 'NEGATIVE_PROMPT_UNUSED',
      severity: 'WARNING',
      field: ['negativePrompt'],
      message: 'There is no guidance.',
      fix: 'Leave it out.',
    },
  ],
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

  it('from before there were chunks, weights, options and findings means what it meant', () => {
    const { settings, findings: _, ...rest } = toRecipeJson(RECIPE);
    const { clipSkip: __, samplerOptions: ___, ...older } = settings;
    const tokens = { ids: [1, 2], tokenCount: 2, isTruncated: false };
    const read = recipeReader({ ...rest, settings: older, prompt: tokens, negativePrompt: tokens })();
    expect(read).toEqual({
      ...RECIPE,
      settings: { ...RECIPE.settings, clipSkip: 1, samplerOptions: {} },
      prompt: PLAIN,
      negativePrompt: PLAIN,
      findings: [],
    });
  });

  it('with findings of a version to come is read without them, so that the job runs', () => {
    const json = toRecipeJson(RECIPE);
    const [known] = json.findings;
    const unknown = { ...known, code: 'MADE_UP_LATER' };
    expect(recipeReader({ ...json, findings: [unknown, known, 7] })()).toEqual(RECIPE);
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

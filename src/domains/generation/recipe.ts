import { z } from 'zod';
import { SCHEDULER_NAMES, SIGMA_SCHEDULES } from '../../diffusion/index.ts';
import type { SettledJob, TokenizedPrompt } from './job.ts';
import { OUTPUT_FORMATS } from './job.ts';
import { readerOf } from './stored-json.ts';

/** Everything that decides a job's pictures, frozen when it is submitted. */
export interface Recipe extends SettledJob {
  readonly platformVersion: string;
  /** Name and digest of the variant version, for whoever reads the recipe outside the database. */
  readonly variant: string;
  readonly versionDigest: string;
}

const tokenized = z.object({
  ids: z.array(z.int().nonnegative()),
  tokenCount: z.int().nonnegative(),
  isTruncated: z.boolean(),
});

const recipe = z.object({
  platformVersion: z.string(),
  variant: z.string(),
  versionDigest: z.string(),
  settings: z.object({
    prompt: z.string(),
    negativePrompt: z.string(),
    width: z.int(),
    height: z.int(),
    steps: z.int(),
    guidanceScale: z.number(),
    scheduler: z.enum(SCHEDULER_NAMES),
    sigmaSchedule: z.enum(SIGMA_SCHEDULES),
    // JSON numbers end at 2^53 and seeds at 2^64.
    seed: z
      .string()
      .regex(/^\d{1,20}$/)
      .transform((text) => BigInt(text)),
    imageCount: z.int(),
    previewEverySteps: z.int(),
    outputFormat: z.enum(OUTPUT_FORMATS),
  }),
  prompt: tokenized,
  negativePrompt: tokenized,
});

/** Reads a recipe as `toRecipeJson` wrote it; throws a `ZodError` on anything else. */
export function parseRecipe(json: unknown): Recipe {
  return recipe.parse(json);
}

/** Reads a recipe when it is asked for, once. One that cannot be read throws the same error each time. */
export function recipeReader(json: unknown): () => Recipe {
  return readerOf(recipe, json);
}

export function toRecipeJson(value: Recipe) {
  const { seed, ...settings } = value.settings;
  const tokens = ({ ids, tokenCount, isTruncated }: TokenizedPrompt) => ({
    ids: [...ids],
    tokenCount,
    isTruncated,
  });
  return {
    platformVersion: value.platformVersion,
    variant: value.variant,
    versionDigest: value.versionDigest,
    settings: { ...settings, seed: seed.toString() },
    prompt: tokens(value.prompt),
    negativePrompt: tokens(value.negativePrompt),
  };
}

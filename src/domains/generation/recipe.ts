import { z } from 'zod';
import type { Finding, FramedPrompt, SamplerOptions } from '../../diffusion/index.ts';
import { FINDING_CODES, SCHEDULER_NAMES, SIGMA_SCHEDULES } from '../../diffusion/index.ts';
import type { SettledJob } from './job.ts';
import { OUTPUT_FORMATS } from './job.ts';
import { storedOptions } from './sampler-options.ts';
import { readerOf } from './stored-json.ts';

/** Everything that decides a job's pictures, frozen when it is submitted. */
export interface Recipe extends SettledJob {
  readonly platformVersion: string;
  /** Name and digest of the variant version, for whoever reads the recipe outside the database. */
  readonly variant: string;
  readonly versionDigest: string;
}

const ids = z.array(z.int().nonnegative());
const counts = { tokenCount: z.int().nonnegative(), isTruncated: z.boolean() };
const framed = z.object({
  chunks: z.array(z.object({ ids, weights: z.array(z.number()).nullable() })).min(1),
  ...counts,
});

// What 0.1.0 wrote before prompts had chunks and weights: one chunk, and every token counts as it is.
const framedOnce = z
  .object({ ids, ...counts })
  .transform(({ ids: only, ...rest }) => ({ chunks: [{ ids: only, weights: null }], ...rest }));
const prompt = z.union([framed, framedOnce]);

const finding: z.ZodType<Finding> = z.object({
  code: z.enum(FINDING_CODES),
  severity: z.enum(['ERROR', 'WARNING']),
  field: z.array(z.string()),
  message: z.string(),
  fix: z.string(),
});

// One with a code of a newer version is left out: it decides nothing, and the job must run during an upgrade.
const findings = z.array(z.unknown()).transform((all) =>
  all.flatMap((each) => {
    const { success, data } = finding.safeParse(each);
    return success ? [data] : [];
  }),
);

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
    samplerOptions: storedOptions.default({}),
    clipSkip: z.int().default(1),
    // JSON numbers end at 2^53 and seeds at 2^64.
    seed: z
      .string()
      .regex(/^\d{1,20}$/)
      .transform((text) => BigInt(text)),
    imageCount: z.int(),
    previewEverySteps: z.int(),
    outputFormat: z.enum(OUTPUT_FORMATS),
  }),
  prompt,
  negativePrompt: prompt,
  findings: findings.default([]),
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
  const { seed, samplerOptions, ...settings } = value.settings;
  return {
    platformVersion: value.platformVersion,
    variant: value.variant,
    versionDigest: value.versionDigest,
    settings: { ...settings, seed: seed.toString(), samplerOptions: optionsToJson(samplerOptions) },
    prompt: toJson(value.prompt),
    negativePrompt: toJson(value.negativePrompt),
    findings: value.findings.map((each) => ({ ...each, field: [...each.field] })),
  };
}

function optionsToJson({ timesteps, sigmas, ...options }: SamplerOptions) {
  return {
    ...options,
    ...(timesteps && { timesteps: [...timesteps] }),
    ...(sigmas && { sigmas: [...sigmas] }),
  };
}

function toJson({ chunks, tokenCount, isTruncated }: FramedPrompt) {
  const copies = chunks.map(({ ids: own, weights }) => ({ ids: [...own], weights: weights && [...weights] }));
  return { chunks: copies, tokenCount, isTruncated };
}

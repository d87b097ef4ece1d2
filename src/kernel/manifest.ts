import { z } from 'zod';

/** Element types of the engine contract, as the manifest spells them. */
export const TENSOR_TYPES = ['float', 'float16', 'int32', 'int64', 'uint8', 'bool'] as const;
export type TensorType = (typeof TENSOR_TYPES)[number];

export const PREDICTION_TYPES = ['epsilon', 'v_prediction', 'sample'] as const;
export type PredictionType = (typeof PREDICTION_TYPES)[number];

/** The schemes that make a model draw in few steps, by the scheduler that each needs. */
export const DISTILLATIONS = ['LCM', 'TCD'] as const;
export type Distillation = (typeof DISTILLATIONS)[number];

/** One input or output of a graph; -1 is a dimension that the caller chooses, the first is always the batch. */
export interface TensorSpec {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
}

/** One graph of a bundle. `file` is relative to the bundle's folder and may point into a sibling (`../pico/…`). */
export interface PartSpec {
  readonly file: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly maxBatch: number;
}

/**
 * What a bundle says of itself: everything that differs between families is data here, not code.
 * Sizes are in pixels; `latentFactor` is pixels per latent cell.
 */
export interface Manifest {
  readonly contract: 1;
  readonly name: string;
  /** A version never changes: other weights or settings are a new number. */
  readonly version: number;
  readonly family: string;
  /** SPDX expression for the weights. */
  readonly licence: string;
  readonly nativeSize: number;
  readonly sizeMultiple: number;
  readonly latentChannels: number;
  readonly latentFactor: number;
  readonly scalingFactor: number;
  /** True when the decoder graph divides by the scaling factor itself. */
  readonly decoderScales: boolean;
  readonly predictionType: PredictionType;
  /** What the weights were distilled for, beside what the family says; absent for none. */
  readonly distilledFor?: readonly Distillation[] | undefined;
  readonly tokensMax: number;
  readonly hiddenSize: number;
  /** Output of the text encoder for each clip skip that the bundle offers. */
  readonly clipSkip: Readonly<Record<string, string>>;
  readonly defaults: {
    readonly scheduler: string;
    readonly sigmaSchedule: string;
    readonly steps: number;
    readonly guidanceScale: number;
  };
  readonly parts: Readonly<Record<string, PartSpec>>;
  /** Folder of `vocab.json`, `merges.txt` and `tokenizer_config.json`, relative to the bundle's. */
  readonly tokenizer: string;
  /** The diffusers scheduler configuration that every scheduler is built from. */
  readonly schedulerConfig: string;
  /** sha256 in hex of every file that decides a picture, by its path as in `parts`. */
  readonly digests: Readonly<Record<string, string>>;
  /** The bundle that the shared parts come from, when there is one. */
  readonly base?: string | undefined;
}

const count = z.int().positive();
const tensor = z.object({
  name: z.string().min(1),
  type: z.enum(TENSOR_TYPES),
  shape: z.array(z.int().min(-1)).min(1),
});

const manifest = z.object({
  contract: z.literal(1),
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'lower-case letters, digits and dashes'),
  version: count,
  family: z.string().min(1),
  licence: z.string().min(1),
  nativeSize: count,
  sizeMultiple: count,
  latentChannels: count,
  latentFactor: count,
  scalingFactor: z.number().positive(),
  decoderScales: z.boolean(),
  predictionType: z.enum(PREDICTION_TYPES),
  distilledFor: z.array(z.enum(DISTILLATIONS)).optional(),
  tokensMax: count,
  hiddenSize: count,
  clipSkip: z.record(z.string(), z.string()),
  defaults: z.object({
    scheduler: z.string(),
    sigmaSchedule: z.string(),
    steps: count,
    guidanceScale: z.number().nonnegative(),
  }),
  parts: z.record(
    z.string(),
    z.object({
      file: z.string().min(1),
      inputs: z.array(tensor).min(1),
      outputs: z.array(tensor).min(1),
      maxBatch: count,
    }),
  ),
  tokenizer: z.string().min(1),
  schedulerConfig: z.string().min(1),
  digests: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 in hex')),
  base: z.string().optional(),
});

/** Parses a `manifest.json`. Throws a `ZodError` that names each field at fault. */
export function parseManifest(json: unknown): Manifest {
  return manifest.parse(json);
}

import type { Manifest, PartSpec, TensorSpec } from '../kernel/manifest.ts';
import { BundleError } from './bundle-error.ts';
import type { Guidance } from './guidance.ts';
import { chooseGuidance } from './guidance.ts';
import type { SchedulerName } from './names.ts';
import { planSchedule } from './plan-schedule.ts';
import type { SamplerOptions } from './sampler-options.ts';
import type { SchedulerConfig } from './schedulers/config.ts';
import type { SchedulePlan } from './schedulers/scheduler.ts';
import type { Settings } from './settings.ts';

/** Parts of a bundle that a text-to-image job calls. */
export type PlannedPart = 'text_encoder' | 'unet' | 'unet_cfg' | 'vae_decoder';

/** One call of a served part, every dimension settled. */
export interface EngineCall {
  readonly part: PlannedPart;
  /** Length of the batch axis. */
  readonly rows: number;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** In units of one U-Net row at the bundle's native size; guidance does not count twice. */
  readonly cost: number;
}

/**
 * Everything that running a job will take, known before it runs: admission, price, progress and the
 * dispatcher read this and nothing else. Plain and read-only; the job's pictures share it.
 *
 * `calls` is the job run by itself: prompts once, every evaluation with all its pictures stacked,
 * decoding once. The dispatcher may stack the rows of several jobs and must split where a part's
 * `maxBatch` is passed; rows and order stay those of the list.
 */
export interface GenerationPlan {
  readonly scheduler: SchedulerName;
  readonly schedule: SchedulePlan;
  readonly guidance: Guidance;
  readonly imageCount: number;
  /** Seed of each picture. */
  readonly seeds: readonly bigint[];
  /** [C, h, w] of one picture. */
  readonly latentShape: readonly [channels: number, height: number, width: number];
  /** Values in one picture's latents. */
  readonly latentSize: number;
  readonly calls: readonly EngineCall[];
  /** U-Net evaluations of a picture: what its progress counts up to. */
  readonly totalSteps: number;
  /** Sum of the costs of `calls`, per picture. */
  readonly costPerPicture: number;
}

export interface PlanInput {
  readonly manifest: Manifest;
  readonly schedulerConfig: SchedulerConfig;
  readonly settings: Settings;
  readonly options?: SamplerOptions;
}

const SEED_BITS = 64;

/**
 * Compiles settings that `validate` has passed. Throws a `BundleError` when the bundle lacks a part or
 * contradicts itself.
 */
export function compilePlan({
  manifest,
  schedulerConfig,
  settings,
  options = {},
}: PlanInput): GenerationPlan {
  const { scheduler, sigmaSchedule, steps, imageCount } = settings;
  requireOnePrediction(manifest, schedulerConfig);
  const schedule = planSchedule(scheduler, steps, { config: schedulerConfig, sigmaSchedule, options });
  const evaluations = schedule.evaluations.length;
  const guidance = chooseGuidance(manifest, settings.guidanceScale);
  const calls = listCalls(manifest, settings, { guidance, evaluations });
  const [channels, height, width] = latentShape(manifest, settings);
  return {
    scheduler,
    schedule,
    guidance,
    imageCount,
    seeds: Array.from({ length: imageCount }, (_, index) => pictureSeed(settings.seed, index)),
    latentShape: [channels, height, width],
    latentSize: channels * height * width,
    calls,
    totalSteps: evaluations,
    costPerPicture: evaluations * evaluationCost(manifest, settings),
  };
}

/** The parts that a job calls, sorted, each once: what a node must serve to run it. */
export function partsOf({ calls }: Pick<GenerationPlan, 'calls'>): readonly PlannedPart[] {
  return [...new Set(calls.map(({ part }) => part))].toSorted();
}

/** The seed of picture `index` of a job: counted on from the job's, round the end of 64 bits. */
export function pictureSeed(seed: bigint, index: number): bigint {
  return BigInt.asUintN(SEED_BITS, seed + BigInt(index));
}

function requireOnePrediction(manifest: Manifest, config: SchedulerConfig): void {
  if (manifest.predictionType === config.predictionType) return;
  throw new BundleError(
    `Bundle ${manifest.name}: manifest.json says ${manifest.predictionType} and scheduler_config.json ` +
      `${config.predictionType}; make both what the model was trained for.`,
  );
}

function latentShape(
  { latentChannels, latentFactor }: Manifest,
  { width, height }: Settings,
): [number, number, number] {
  return [latentChannels, height / latentFactor, width / latentFactor];
}

/** In proportion to pixels: attention grows faster, but this a customer can work out by hand. */
function evaluationCost({ nativeSize }: Manifest, { width, height }: Settings): number {
  return (width * height) / nativeSize ** 2;
}

interface Run {
  readonly guidance: Guidance;
  readonly evaluations: number;
}

function listCalls(
  manifest: Manifest,
  settings: Settings,
  { guidance, evaluations }: Run,
): readonly EngineCall[] {
  const { imageCount } = settings;
  const call = (part: PlannedPart, rows: number, cost: number): EngineCall => ({
    ...shapesOf(partOf(manifest, part), rows, { manifest, settings }),
    part,
    rows,
    cost,
  });
  // The negative prompt comes first, where there is one: the order that guidance outside the graph needs.
  const prompts = call('text_encoder', guidance.form === 'NONE' ? 1 : 2, 0);
  const unetRows = imageCount * (guidance.form === 'OUTSIDE' ? 2 : 1);
  const evaluation = call(guidance.part, unetRows, imageCount * evaluationCost(manifest, settings));
  return [
    prompts,
    ...new Array<EngineCall>(evaluations).fill(evaluation),
    call('vae_decoder', imageCount, 0),
  ];
}

function partOf(manifest: Manifest, part: PlannedPart): PartSpec {
  const spec = manifest.parts[part];
  if (!spec) throw new BundleError(`Bundle ${manifest.name} has no part ${part}.`);
  return spec;
}

type Sizes = Pick<PlanInput, 'manifest' | 'settings'>;

function shapesOf(spec: PartSpec, rows: number, sizes: Sizes): Pick<EngineCall, 'inputs' | 'outputs'> {
  const settle = (tensor: TensorSpec): TensorSpec => ({ ...tensor, shape: settleShape(tensor, rows, sizes) });
  return { inputs: spec.inputs.map(settle), outputs: spec.outputs.map(settle) };
}

function settleShape({ shape }: TensorSpec, rows: number, sizes: Sizes): readonly number[] {
  const free = [rows, ...freeSizes(shape, sizes)];
  return shape.map((size, axis) => (size === -1 ? (free[axis] ?? size) : size));
}

/** The sizes behind the batch axis, known by rank: [tokens, width], [H, W, 3] pixels or [C, h, w] latents. */
function freeSizes(shape: readonly number[], { manifest, settings }: Sizes): readonly number[] {
  if (shape.length < 4) return [manifest.tokensMax, manifest.hiddenSize];
  return shape[3] === 3 ? [settings.height, settings.width] : latentShape(manifest, settings);
}

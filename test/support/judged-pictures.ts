import type { Tensor } from 'onnxruntime-node';
import type {
  Conditions,
  GenerationPlan,
  Picture,
  PictureFault,
  Settings,
} from '../../src/diffusion/index.ts';
import {
  advance,
  chunksToEncode,
  compilePlan,
  decoderInput,
  framePrompts,
  hasNonFinite,
  judgeFirstEvaluation,
  judgePicture,
  modelInput,
  parseSchedulerConfig,
  resolveSettings,
  startPicture,
  timestepOf,
  toConditions,
} from '../../src/diffusion/index.ts';
import type { PicoBundle } from './pico-bundle.ts';

/** What one picture of a call is to be. */
export type Wish = Pick<Settings, 'prompt' | 'seed' | 'guidanceScale'> &
  Partial<Pick<Settings, 'negativePrompt'>>;

/** How the pictures of a call are drawn, and what is wrong with that, if anything. */
export interface Recipe extends Partial<
  Pick<Settings, 'scheduler' | 'sigmaSchedule' | 'steps' | 'width' | 'height'>
> {
  /** What the model's `scheduler_config.json` says in place of what is true. */
  readonly record?: Readonly<Record<string, unknown>>;
  /** The model is given the latents as they are, of whatever strength. */
  readonly isInputUnscaled?: boolean;
  /** The start noise has standard deviation 1, whatever the schedule. */
  readonly isStartUnscaled?: boolean;
}

/** What a dispatcher would end a job for; numbers that are not finite are a matter of their own. */
export type Verdict = PictureFault | { readonly kind: 'NOT_FINITE' } | null;

interface Drawing {
  readonly plan: GenerationPlan;
  readonly conditions: Conditions;
  readonly picture: Picture;
  fault: Verdict;
}

/**
 * Draws pictures in calls of the U-Net for all of them, by the diffusion core alone, and judges them where a
 * dispatcher does: after the first evaluation and when they are decoded. One answer for each wish, in order.
 */
export async function judgePictures(
  bundle: PicoBundle,
  recipe: Recipe,
  wishes: readonly Wish[],
): Promise<readonly Verdict[]> {
  const drawings: Drawing[] = [];
  for (const wish of wishes) drawings.push(await begin(bundle, recipe, wish));
  const steps = drawings[0]?.plan.totalSteps ?? 0;
  for (let i = 0; i < steps; i += 1) {
    await evaluate(bundle, recipe, { drawings, i });
    // A job ends here, and the rest of its pictures is never drawn.
    if (drawings.every(({ fault }) => fault !== null)) break;
  }
  for (const drawing of drawings) {
    if (hasNonFinite(drawing.picture.latents)) drawing.fault ??= { kind: 'NOT_FINITE' };
  }
  await finish(
    bundle,
    drawings.filter(({ fault }) => fault === null),
  );
  return drawings.map(({ fault }) => fault);
}

async function begin(bundle: PicoBundle, recipe: Recipe, wish: Wish): Promise<Drawing> {
  const { manifest, tokenizer } = bundle;
  const { record, isStartUnscaled = false, isInputUnscaled: _, ...sampler } = recipe;
  const schedulerConfig = parseSchedulerConfig({ ...bundle.record, ...record });
  const settings = resolveSettings(manifest, { ...sampler, ...wish });
  const prompts = framePrompts(tokenizer, manifest, settings);
  const plan = compilePlan({
    manifest: { ...manifest, predictionType: schedulerConfig.predictionType },
    schedulerConfig,
    settings,
    promptChunks: prompts.prompt.chunks.length,
  });
  const chunks = chunksToEncode(prompts, plan.guidance);
  const ids = { rows: chunks.map((chunk) => Int32Array.from(chunk.ids)), shape: [manifest.tokensMax] };
  const states = await bundle.run('text_encoder', { input_ids: ids }, plan.statesOutput);
  const picture = startPicture(plan, wish.seed);
  if (isStartUnscaled) divide(picture.latents, plan.schedule.initSigma);
  return { plan, picture, conditions: toConditions(prompts, plan.guidance, floatsOf(states)), fault: null };
}

function divide(values: Float32Array, divisor: number): void {
  for (const [k, value] of values.entries()) values[k] = value / divisor;
}

interface Evaluation {
  readonly drawings: readonly Drawing[];
  readonly i: number;
}

/** One evaluation of all pictures. Without guidance a row has its condition twice and the scale 1. */
async function evaluate(
  { manifest, run }: PicoBundle,
  { isInputUnscaled = false }: Recipe,
  { drawings, i }: Evaluation,
): Promise<void> {
  const [first] = drawings;
  if (!first) return;
  const { latentShape, latentSize, contextTokens } = first.plan;
  const inputs = drawings.map(({ plan, picture }) => {
    const input = picture.latents.slice();
    if (!isInputUnscaled) modelInput(plan, picture, i, input);
    return input;
  });
  const states = [contextTokens, manifest.hiddenSize];
  const scalars = (of: (drawing: Drawing) => number) => ({
    rows: drawings.map((drawing) => Float32Array.of(of(drawing))),
    shape: [1],
  });
  const rows = {
    sample: { rows: inputs, shape: latentShape },
    timestep: scalars(({ plan }) => timestepOf(plan, i)),
    encoder_hidden_states: { rows: drawings.map(({ conditions }) => conditions.cond), shape: states },
    uncond_hidden_states: {
      rows: drawings.map(({ conditions: { cond, uncond } }) => uncond ?? cond),
      shape: states,
    },
    guidance: scalars(({ plan }) => plan.guidance.scale),
  };
  const answer = floatsOf(await run('unet_cfg', rows, 'noise_pred'));
  for (const [row, drawing] of drawings.entries()) {
    const output = answer.subarray(row * latentSize, (row + 1) * latentSize);
    const input = inputs[row] ?? output;
    if (hasNonFinite(output)) drawing.fault ??= { kind: 'NOT_FINITE' };
    else if (i === 0) drawing.fault = judgeFirstEvaluation(drawing.plan, { input, output });
    advance(drawing.plan, drawing.picture, i, output);
  }
}

async function finish({ manifest, run }: PicoBundle, drawings: readonly Drawing[]): Promise<void> {
  const [first] = drawings;
  if (!first) return;
  const { latentShape } = first.plan;
  const [, height, width] = latentShape.map((side) => side * manifest.latentFactor);
  const scaled = drawings.map(({ picture }) => {
    const out = new Float32Array(picture.latents.length);
    decoderInput(manifest, picture, out);
    return out;
  });
  const images = await run('vae_decoder', { latents: { rows: scaled, shape: latentShape } }, 'images');
  if (!(images instanceof Uint8Array) || !width || !height) throw new Error('The decoder must answer bytes.');
  const size = width * height * 3;
  for (const [row, drawing] of drawings.entries()) {
    const data = images.subarray(row * size, (row + 1) * size);
    const { latents } = drawing.picture;
    drawing.fault = judgePicture(drawing.plan, { latents, pixels: { width, height, data } });
  }
}

function floatsOf(data: Tensor['data']): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new Error('The graph must answer float32.');
}

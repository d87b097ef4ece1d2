import { resolve } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type {
  Answer,
  Conditions,
  FramedPrompts,
  GenerationPlan,
  Picture,
  SchedulerConfig,
  Settings,
} from '../../src/diffusion/index.ts';
import {
  advance,
  chunksToEncode,
  compilePlan,
  decoderInput,
  framePrompts,
  modelInput,
  startPicture,
  timestepOf,
  toConditions,
} from '../../src/diffusion/index.ts';
import { BUNDLE, readManifest, readSchedulerConfig, readTokenizer } from './recorded.ts';

export interface Drawn {
  readonly plan: GenerationPlan;
  readonly latents: Float32Array;
  /** RGB rows. */
  readonly pixels: Uint8Array;
}

type Graphs = ReadonlyMap<string, InferenceSession>;

const manifest = readManifest();
const schedulerConfig = readSchedulerConfig();
const tokenizer = readTokenizer();

export interface Painter extends AsyncDisposable {
  readonly manifest: typeof manifest;
  /** Runs a job's first picture. */
  draw(settings: Settings, options?: DrawOptions): Promise<Drawn>;
}

export interface DrawOptions {
  /** Takes `unet_cfg` from the bundle. */
  readonly isGraphless?: boolean;
  /** In place of what the bundle says of its training. */
  readonly record?: SchedulerConfig;
}

/** The bundle's graphs, each in a session of one thread, driven by nothing but the diffusion core. */
export async function openPainter(): Promise<Painter> {
  const graphs = new Map<string, InferenceSession>();
  for (const part of ['text_encoder', 'unet', 'unet_cfg', 'vae_decoder']) {
    const file = resolve(BUNDLE, manifest.parts[part]?.file ?? part);
    graphs.set(part, await InferenceSession.create(file, { intraOpNumThreads: 1 }));
  }
  return {
    manifest,
    draw: (settings, { isGraphless = false, record = schedulerConfig } = {}) => {
      const { unet_cfg: _, ...withoutGraph } = manifest.parts;
      const parts = isGraphless ? withoutGraph : manifest.parts;
      const prompts = framePrompts(tokenizer, manifest, settings);
      const promptChunks = prompts.prompt.chunks.length;
      const plan = compilePlan({
        manifest: { ...manifest, parts },
        schedulerConfig: record,
        settings,
        promptChunks,
      });
      return drawFirst(graphs, plan, prompts);
    },
    async [Symbol.asyncDispose]() {
      for (const graph of graphs.values()) await graph.release();
    },
  };
}

async function drawFirst(graphs: Graphs, plan: GenerationPlan, prompts: FramedPrompts): Promise<Drawn> {
  const conditions = await encodePrompts(graphs, plan, prompts);
  const picture = startPicture(plan, plan.seeds[0] ?? 0n);
  for (let i = 0; i < plan.totalSteps; i += 1) {
    advance(plan, picture, i, await evaluate(graphs, plan, { picture, i, conditions }));
  }
  return { plan, latents: picture.latents, pixels: await decode(graphs, plan, picture) };
}

async function encodePrompts(
  graphs: Graphs,
  { guidance, statesOutput }: GenerationPlan,
  prompts: FramedPrompts,
): Promise<Conditions> {
  const chunks = chunksToEncode(prompts, guidance);
  const ids = Int32Array.from(chunks.flatMap((chunk) => chunk.ids));
  const inputs = { input_ids: new Tensor('int32', ids, [chunks.length, manifest.tokensMax]) };
  const states = await run(graphs, { part: 'text_encoder', inputs, output: statesOutput });
  return toConditions(prompts, guidance, floatsOf(states));
}

interface Evaluation {
  readonly picture: Picture;
  readonly i: number;
  readonly conditions: Conditions;
}

async function evaluate(
  graphs: Graphs,
  plan: GenerationPlan,
  { picture, i, conditions }: Evaluation,
): Promise<Answer> {
  const { form, part, scale } = plan.guidance;
  const sample = new Float32Array(plan.latentSize);
  modelInput(plan, picture, i, sample);
  const { cond } = conditions;
  const uncond = conditions.uncond ?? cond;
  const statesShape = [plan.contextTokens, manifest.hiddenSize];
  const rows = form === 'OUTSIDE' ? [uncond, cond] : [cond];
  const inputs = {
    sample: tensor(
      rows.map(() => sample),
      plan.latentShape,
    ),
    timestep: tensor(
      rows.map(() => Float32Array.of(timestepOf(plan, i))),
      [1],
    ),
    encoder_hidden_states: tensor(rows, statesShape),
  };
  const guided = {
    ...inputs,
    uncond_hidden_states: tensor([uncond], statesShape),
    guidance: tensor([Float32Array.of(scale)], [1]),
  };
  const output = 'noise_pred';
  const answer = floatsOf(await run(graphs, { part, inputs: part === 'unet_cfg' ? guided : inputs, output }));
  if (form !== 'OUTSIDE') return answer;
  return { uncond: answer.subarray(0, plan.latentSize), cond: answer.subarray(plan.latentSize), scale };
}

async function decode(graphs: Graphs, plan: GenerationPlan, picture: Picture): Promise<Uint8Array> {
  const latents = new Float32Array(plan.latentSize);
  decoderInput(manifest, picture, latents);
  const inputs = { latents: tensor([latents], plan.latentShape) };
  const images = await run(graphs, { part: 'vae_decoder', inputs, output: 'images' });
  if (!(images.data instanceof Uint8Array)) throw new Error('The decoder must answer bytes.');
  return images.data;
}

interface Run {
  readonly part: string;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly output: string;
}

async function run(graphs: Graphs, { part, inputs, output }: Run): Promise<Tensor> {
  const answers = await graphs.get(part)?.run(inputs, [output]);
  const answer = answers?.[output];
  if (!answer) throw new Error(`${part} gave no ${output}.`);
  return answer;
}

function tensor(rows: readonly Float32Array[], shape: readonly number[]): Tensor {
  return new Tensor('float32', Float32Array.from(rows.flatMap((row) => [...row])), [rows.length, ...shape]);
}

function floatsOf(answer: Tensor): Float32Array {
  if (!(answer.data instanceof Float32Array)) throw new Error('The graph must answer float32.');
  return answer.data;
}

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Tokenizer } from '../../src/diffusion/index.ts';
import { openTokenizer } from '../../src/diffusion/index.ts';
import type { Manifest } from '../../src/kernel/manifest.ts';
import { parseManifest } from '../../src/kernel/manifest.ts';
import { MODELS } from './models.ts';

/** Arrays of one length, a row each, and what shape a row has. */
export interface Stack {
  readonly rows: readonly (Float32Array | Int32Array)[];
  readonly shape: readonly number[];
}

/** A bundle of the repository and its graphs in sessions of this process. Disposing ends them. */
export interface PicoBundle extends AsyncDisposable {
  readonly manifest: Manifest;
  /** `scheduler_config.json` as it is. */
  readonly record: Readonly<Record<string, unknown>>;
  readonly tokenizer: Tokenizer;
  /** Runs one part on stacked rows and answers with the values of one output. */
  run(part: string, inputs: Readonly<Record<string, Stack>>, output: string): Promise<Tensor['data']>;
}

const PARTS = ['text_encoder', 'unet_cfg', 'vae_decoder'] as const;

/** Opens `pico` or one of its variants, each graph in a session of one thread. */
export async function openPicoBundle(name: string): Promise<PicoBundle> {
  const folder = resolve(MODELS, name);
  const text = (file: string) => readFile(resolve(folder, file), 'utf8');
  const json = async (file: string) => JSON.parse(await text(file));
  const manifest = parseManifest(await json('manifest.json'));
  const sessions = new Map<string, InferenceSession>();
  for (const part of PARTS) {
    const file = resolve(folder, manifest.parts[part]?.file ?? part);
    sessions.set(part, await InferenceSession.create(file, { intraOpNumThreads: 1 }));
  }
  return {
    manifest,
    record: await json(manifest.schedulerConfig),
    tokenizer: openTokenizer({
      vocab: await json(`${manifest.tokenizer}/vocab.json`),
      merges: await text(`${manifest.tokenizer}/merges.txt`),
      config: await json(`${manifest.tokenizer}/tokenizer_config.json`),
    }),
    async run(part, inputs, output) {
      const feeds = Object.fromEntries(Object.entries(inputs).map(([key, stack]) => [key, tensorOf(stack)]));
      const answer = (await sessions.get(part)?.run(feeds, [output]))?.[output];
      if (!answer) throw new Error(`${part} gave no ${output}.`);
      return answer.data;
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions.values()) await session.release();
    },
  };
}

function tensorOf({ rows, shape }: Stack): Tensor {
  const size = shape.reduce((product, side) => product * side, 1);
  const dims = [rows.length, ...shape];
  if (rows[0] instanceof Int32Array) {
    const ids = new Int32Array(rows.length * size);
    rows.forEach((row, index) => ids.set(row, index * size));
    return new Tensor('int32', ids, dims);
  }
  const values = new Float32Array(rows.length * size);
  rows.forEach((row, index) => values.set(row, index * size));
  return new Tensor('float32', values, dims);
}

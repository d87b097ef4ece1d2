import { resolve } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { framePrompts, toConditions } from '../../src/diffusion/index.ts';
import { BUNDLE, maxAbs, maxError, readCases, readFloats, readManifest, readTokenizer } from './recorded.ts';

interface PromptCase {
  readonly prompt: string;
  /** Of each chunk, up to the mark of its end. */
  readonly ids: readonly (readonly number[])[];
  readonly weights: readonly (readonly number[])[];
  /** Where its states begin: those of clip skip 1, then of 2. Null for words of textual inversion. */
  readonly offset: number | null;
}

const WORDS = ['<pico-cat>', '<pico-cat>_1', '<pico-cat>_2', 'Night-Sky'];
/** One channel in so many is recorded. */
const STRIDE = 8;
/** The reference computes in float32, and the states of a chunk have a mean near zero, which it divides by: 4e-6 seen. */
const TOLERANCE = 2e-5;

const cases = readCases<PromptCase>('prompts.json');
const recorded = readFloats('prompts.f32.gz');
const manifest = readManifest();
const tokenizer = readTokenizer({
  added_tokens_decoder: Object.fromEntries(WORDS.map((content, index) => [49_408 + index, { content }])),
});

const frame = (prompt: string) =>
  framePrompts(tokenizer, manifest, { prompt, negativePrompt: '', guidanceScale: 1 });
const named = cases.map((each) => [JSON.stringify(each.prompt.slice(0, 50)), each] as const);

describe("a prompt in the web UI's syntax", () => {
  let textEncoder: InferenceSession;
  beforeAll(async () => {
    const file = resolve(BUNDLE, manifest.parts['text_encoder']?.file ?? '');
    textEncoder = await InferenceSession.create(file, { intraOpNumThreads: 1 });
  }, 60_000);
  afterAll(() => textEncoder.release());

  it.each(named)('has the chunks and weights of the reference: %s', (_, { prompt, ids, weights }) => {
    const { chunks } = frame(prompt).prompt;
    expect(chunks.map((chunk, i) => chunk.ids.slice(0, ids[i]?.length))).toEqual(ids);
    const own = chunks.map((chunk, i) => (chunk.weights ?? chunk.ids.map(() => 1)).slice(0, ids[i]?.length));
    expect(own).toEqual(weights);
  });

  it.each(named.filter(([, { offset }]) => offset !== null))(
    'has the weighted states of the reference, at either clip skip: %s',
    async (_, { prompt, offset }) => {
      const prompts = frame(prompt);
      const { chunks } = prompts.prompt;
      const ids = Int32Array.from(chunks.flatMap((chunk) => chunk.ids));
      const input_ids = new Tensor('int32', ids, [chunks.length, manifest.tokensMax]);
      const answer = await textEncoder.run({ input_ids });
      let start = offset ?? 0;
      for (const output of Object.values(manifest.clipSkip)) {
        const states = Float32Array.from(Object(answer[output]?.data));
        const { cond } = toConditions(prompts, { form: 'NONE', part: 'unet', scale: 1 }, states);
        const sampled = cond.filter((_value, k) => k % STRIDE === 0);
        const expected = recorded.subarray(start, start + sampled.length);
        expect(maxError(sampled, expected)).toBeLessThanOrEqual(TOLERANCE * maxAbs(expected));
        start += sampled.length;
      }
    },
  );
});

import { EngineError } from './engines.ts';
import { inferPart } from './infer-part.ts';
import { sliceTensor } from './rows.ts';
import type { Run } from './run.ts';
import { throwIfInterrupted } from './run.ts';

/** The text encoder's hidden states of one job, [T, D] each; `uncond` is null without guidance. */
export interface Conditions {
  readonly cond: Float32Array;
  readonly uncond: Float32Array | null;
}

const PART = 'text_encoder';

/** One call for both prompts, the negative one first. */
export async function encodePrompts(run: Run): Promise<Conditions> {
  throwIfInterrupted(run);
  const { recipe } = run.job;
  const { manifest } = run.version;
  const isGuided = run.plan.guidance.form !== 'NONE';
  const prompts = isGuided ? [recipe.negativePrompt, recipe.prompt] : [recipe.prompt];
  const ids = Int32Array.from(prompts.flatMap((prompt) => prompt.ids));
  const output = manifest.clipSkip['1'] ?? 'hidden_states';
  const states = await inferPart(
    run,
    { part: PART, output },
    { input_ids: { shape: [prompts.length, manifest.tokensMax], data: ids } },
  );
  const row = (index: number) => asFloats(sliceTensor(states, index, index + 1).data);
  return isGuided ? { uncond: row(0), cond: row(1) } : { uncond: null, cond: row(0) };
}

/** Narrows an answer's values to the float32 that the engine contract promises for this part. */
export function asFloats(data: Float32Array | Int32Array | Uint8Array): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new EngineError('BAD_ANSWER', 'An engine answered with another type than float32.', {
    fault: 'node',
  });
}

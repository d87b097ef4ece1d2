import type { Conditions } from '../diffusion/index.ts';
import { chunksToEncode, toConditions } from '../diffusion/index.ts';
import { EngineError } from './engines.ts';
import { inferPart } from './infer-part.ts';
import type { Run } from './run.ts';
import { throwIfInterrupted } from './run.ts';

const PART = 'text_encoder';

/** What the job is drawn with, by one call for the chunks of both prompts. */
export async function encodePrompts(run: Run): Promise<Conditions> {
  throwIfInterrupted(run);
  const { recipe } = run.job;
  const { statesOutput, guidance } = run.plan;
  const chunks = chunksToEncode(recipe, guidance);
  const ids = {
    shape: [chunks.length, run.version.manifest.tokensMax],
    data: Int32Array.from(chunks.flatMap((chunk) => chunk.ids)),
  };
  const states = await inferPart(run, { part: PART, output: statesOutput }, { input_ids: ids });
  return toConditions(recipe, guidance, asFloats(states.data));
}

/** Narrows an answer's values to the float32 that the engine contract promises for this part. */
export function asFloats(data: Float32Array | Int32Array | Uint8Array): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new EngineError('BAD_ANSWER', 'An engine answered with another type than float32.', {
    fault: 'node',
  });
}

import type { Guidance } from '../guidance.ts';
import type { FramedChunk } from './frame-chunk.ts';
import type { FramedPrompts } from './frame-prompts.ts';
import { weighStates } from './weigh-states.ts';

/** What the U-Net attends to: the weighted states of each prompt, [n positions, D], chunk after chunk. */
export interface Conditions {
  readonly cond: Float32Array;
  /** As long as `cond`; null without guidance. */
  readonly uncond: Float32Array | null;
}

/** The chunks that the text encoder reads for a job, one in a row: those of the negative prompt, if it counts, first. */
export function chunksToEncode(
  { prompt, negativePrompt }: FramedPrompts,
  { form }: Guidance,
): readonly FramedChunk[] {
  return form === 'NONE' ? prompt.chunks : [...negativePrompt.chunks, ...prompt.chunks];
}

/** Makes conditions of the text encoder's answer to `chunksToEncode`, [rows, positions, D]. They share its memory. */
export function toConditions(prompts: FramedPrompts, guidance: Guidance, states: Float32Array): Conditions {
  const chunks = chunksToEncode(prompts, guidance);
  const size = states.length / chunks.length;
  for (const [row, { weights }] of chunks.entries()) {
    if (weights) weighStates(states.subarray(row * size, (row + 1) * size), weights);
  }
  const start = states.length - prompts.prompt.chunks.length * size;
  return {
    uncond: guidance.form === 'NONE' ? null : states.subarray(0, start),
    cond: states.subarray(start),
  };
}

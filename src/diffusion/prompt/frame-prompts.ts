import type { Manifest } from '../../kernel/manifest.ts';
import { isGuided } from '../guidance.ts';
import type { Settings } from '../settings.ts';
import { chunkLimits } from './chunk-limits.ts';
import type { FramedChunk } from './frame-chunk.ts';
import { frameChunk } from './frame-chunk.ts';
import type { PromptReading } from './read-prompt.ts';
import { readPrompt } from './read-prompt.ts';
import type { Tokenizer } from './tokenizer.ts';

/** A prompt as the text encoder takes it. */
export interface FramedPrompt {
  /** At least one. */
  readonly chunks: readonly FramedChunk[];
  /** Of the whole prompt, without the marks, also where not all of it fits. */
  readonly tokenCount: number;
  readonly isTruncated: boolean;
}

export interface FramedPrompts {
  readonly prompt: FramedPrompt;
  readonly negativePrompt: FramedPrompt;
}

export type PromptSettings = Pick<Settings, 'prompt' | 'negativePrompt' | 'guidanceScale'>;

/**
 * Both prompts of a job. With guidance they are equally many chunks, for the U-Net takes both in one call: the
 * shorter one is followed by chunks that say nothing. Without it the negative prompt is not drawn with, and
 * changes nothing.
 */
export function framePrompts(
  tokenizer: Tokenizer,
  manifest: Manifest,
  { prompt, negativePrompt, guidanceScale }: PromptSettings,
): FramedPrompts {
  const { min, max } = chunkLimits(manifest);
  const positive = readPrompt(tokenizer, prompt, max);
  const negative = readPrompt(tokenizer, negativePrompt, max);
  const longer = isGuided(guidanceScale) ? Math.max(positive.chunks.length, negative.chunks.length) : min;
  const count = Math.max(min, longer);
  return { prompt: frame(tokenizer, positive, count), negativePrompt: frame(tokenizer, negative, count) };
}

function frame(
  tokenizer: Tokenizer,
  { chunks, tokenCount, truncated }: PromptReading,
  count: number,
): FramedPrompt {
  const missing = Math.max(0, count - chunks.length);
  const filled = [...chunks, ...Array.from({ length: missing }, () => [])];
  return {
    chunks: filled.map((chunk) => frameChunk(tokenizer, chunk)),
    tokenCount,
    isTruncated: truncated.length > 0,
  };
}

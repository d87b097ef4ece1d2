import type { Chunk, WeightedToken, WeightedTokens } from './split-chunks.ts';
import { splitChunks } from './split-chunks.ts';
import type { Tokenizer } from './tokenizer.ts';
import { parseWeightedText } from './weighted-text.ts';

/** What a model reads of a prompt. */
export interface PromptReading {
  /** At least one; each fits between the marks of start and end. */
  readonly chunks: readonly Chunk[];
  /** Tokens of the whole prompt, with those that are cut. */
  readonly tokenCount: number;
  /** What is cut at the end, because it would be more chunks than there may be. */
  readonly truncated: readonly WeightedToken[];
}

/** Parses, tokenizes and chunks a prompt; any text at all gives a reading. */
export function readPrompt(tokenizer: Tokenizer, prompt: string, chunksMax: number): PromptReading {
  const room = tokenizer.positions - 2;
  const chunks = splitChunks(tokensOf(tokenizer, prompt), { room, comma: tokenizer.comma });
  return {
    chunks: chunks.slice(0, chunksMax),
    tokenCount: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    truncated: chunks.slice(chunksMax).flat(),
  };
}

function* tokensOf(tokenizer: Tokenizer, prompt: string): Iterable<WeightedTokens | null> {
  for (const part of parseWeightedText(prompt)) {
    if (part.kind === 'BREAK') yield null;
    else for (const ids of tokenizer.tokenize(part.text)) yield { ids, weight: part.weight };
  }
}

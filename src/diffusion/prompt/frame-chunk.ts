import type { Chunk } from './split-chunks.ts';
import type { Tokenizer } from './tokenizer.ts';

/** One chunk as the text encoder takes it. */
export interface FramedChunk {
  /** As many as the text encoder has positions: begin, tokens, end, padding. */
  readonly ids: readonly number[];
  /** How much each position counts; null when that is 1 for all of them. */
  readonly weights: readonly number[] | null;
}

/** Puts the marks around a chunk. They and the padding count as they are. */
export function frameChunk({ positions, marks }: Tokenizer, chunk: Chunk): FramedChunk {
  const fill = <T>(values: readonly T[], first: T, padding: T) => [
    first,
    ...values,
    ...new Array<T>(positions - 1 - values.length).fill(padding),
  ];
  const ids = fill([...chunk.map(({ id }) => id), marks.end], marks.begin, marks.padding);
  const weights = chunk.map(({ weight }) => weight);
  return { ids, weights: weights.every((weight) => weight === 1) ? null : fill(weights, 1, 1) };
}

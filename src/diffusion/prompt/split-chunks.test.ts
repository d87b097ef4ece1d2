import { expect, it } from 'vitest';
import { splitChunks } from './split-chunks.ts';

const one = (id: number) => ({ ids: [id], weight: 1 });
const word = (...ids: readonly number[]) => ({ ids, weight: 2 });
const split = (tokens: Parameters<typeof splitChunks>[0]) =>
  splitChunks(tokens, { room: 4, comma: 0 }).map((chunk) => chunk.map(({ id }) => id));

it('the vectors of one word stay in one chunk, whatever is before them', () => {
  expect(split([one(1), one(2), word(7, 8, 9)])).toEqual([
    [1, 2],
    [7, 8, 9],
  ]);
  expect(split([one(1), word(6, 7, 8, 9), one(2)])).toEqual([[1], [6, 7, 8, 9], [2]]);
  expect(split([one(1), one(0), one(2), one(3), word(7, 8)])).toEqual([
    [1, 0],
    [2, 3, 7, 8],
  ]);
});

it('each vector of a word has the weight of the word', () => {
  expect(splitChunks([word(7, 8)], { room: 4, comma: 0 })).toEqual([
    [
      { id: 7, weight: 2 },
      { id: 8, weight: 2 },
    ],
  ]);
});

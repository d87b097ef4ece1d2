import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTokenizer } from '../../../test/parity/recorded.ts';
import { frameChunk } from './frame-chunk.ts';
import { readPrompt } from './read-prompt.ts';

const tokenizer = readTokenizer();
const [BEGIN, END] = [49406, 49407];
const POSITIONS = 77;
const ROOM = POSITIONS - 2;

const read = (prompt: string, chunksMax = 100) => readPrompt(tokenizer, prompt, chunksMax);
const lengths = (prompt: string) => read(prompt).chunks.map(({ length }) => length);
const apples = (count: number) => Array.from({ length: count }, () => 'apple').join(' ');
const spelled = (prompt: string) =>
  read(prompt).chunks.map((chunk) => chunk.map(({ id }) => tokenizer.spell(id).text).join(' '));

describe('a prompt', () => {
  it.each([
    ['', [0]],
    [apples(ROOM), [ROOM]],
    [apples(ROOM + 1), [ROOM, 1]],
    [apples(200), [ROOM, ROOM, 50]],
  ])('is read in chunks that the text encoder can take, at least one: %j', (prompt, expected) => {
    expect(lengths(prompt)).toEqual(expected);
  });

  it('goes on with a new chunk at BREAK, whatever brackets are open', () => {
    expect(spelled('a BREAK b')).toEqual(['a', 'b']);
    expect(spelled('BREAK (a BREAK BREAK b:2) BREAK')).toEqual(['', 'a', '', 'b']);
    expect(read('(a BREAK b:2)').chunks.flat()).toMatchObject([{ weight: 2 }, { weight: 2 }]);
  });

  it('takes a short phrase behind the last comma of a full chunk along to the next', () => {
    const phrase = (words: number) => `${apples(ROOM - 1 - words)}, ${apples(words)} red`;
    expect(lengths(phrase(0))).toEqual([ROOM, 1]);
    expect(lengths(phrase(19))).toEqual([ROOM - 19, 20]);
    expect(lengths(phrase(20))).toEqual([ROOM, 1]);
    expect(lengths(`${apples(ROOM)}, red`)).toEqual([ROOM, 2]);
    expect(lengths(`${apples(ROOM - 2)}, (red:1.2) castle`)).toEqual([ROOM - 1, 2]);
  });

  it('gives each token the weight of its text', () => {
    const [chunk] = read('a (red:1.5) [apple]').chunks;
    expect(chunk?.map(({ weight }) => weight)).toEqual([1, 1.5, Math.fround(1 / 1.1)]);
  });

  it('loses nothing: what is more than the chunks there may be is told as cut', () => {
    const text = fc.array(fc.constantFrom('apple', ',', 'BREAK', '(red', ':1.2)', '\u{1f34e}'), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 4 }), (words, chunksMax) => {
        const prompt = words.join(' ');
        const whole = read(prompt);
        const some = read(prompt, chunksMax);
        expect(some.chunks.length).toBe(Math.min(whole.chunks.length, chunksMax));
        expect([...some.chunks.flat(), ...some.truncated]).toEqual(whole.chunks.flat());
        expect(some.tokenCount).toBe(whole.chunks.flat().length);
        expect(whole.chunks.every(({ length }) => length <= ROOM)).toBe(true);
      }),
    );
  });
});

describe('a chunk', () => {
  it('is framed by marks that count as they are', () => {
    const [chunk = []] = read('(red:1.5) apple').chunks;
    const { ids, weights } = frameChunk(tokenizer, chunk);
    expect([ids.length, weights?.length]).toEqual([POSITIONS, POSITIONS]);
    expect(ids.slice(0, 5)).toEqual([BEGIN, chunk[0]?.id, chunk[1]?.id, END, END]);
    expect(weights?.slice(0, 4)).toEqual([1, 1.5, 1, 1]);
  });

  it('that is full, or says nothing, has its marks all the same', () => {
    const [full = []] = read(apples(ROOM)).chunks;
    expect(frameChunk(tokenizer, full).ids.at(-1)).toBe(END);
    expect(frameChunk(tokenizer, []).ids).toEqual([BEGIN, ...new Array<number>(POSITIONS - 1).fill(END)]);
  });

  it('has no weights where every token counts as it is', () => {
    expect(frameChunk(tokenizer, read('([red])').chunks[0] ?? []).weights).toBeNull();
  });
});

import { describe, expect, it } from 'vitest';
import { readCases, readManifest, readTokenizer } from './recorded.ts';

interface TokenCase {
  readonly text: string;
  readonly tokenCount: number;
  /** Begin, as much of the prompt as fits, end. */
  readonly ids: readonly number[];
}

const cases = readCases<TokenCase>('tokenizer.json');
const tokenizer = readTokenizer();
const { tokensMax } = readManifest();
const { begin, end } = tokenizer.marks;

const inWords = (text: string) => JSON.stringify(text.slice(0, 60));

describe("CLIP's tokenizer", () => {
  it('is checked on at least 500 strings', () => {
    expect(cases.length).toBeGreaterThanOrEqual(500);
  });

  it.each(cases.map((each) => [inWords(each.text), each] as const))(
    'gives the ids of transformers for %s',
    (_, each) => {
      const tokens = tokenizer.tokenize(each.text).flat();
      expect([begin, ...tokens.slice(0, tokensMax - 2), end]).toEqual(each.ids);
      expect(tokens).toHaveLength(each.tokenCount);
    },
  );
});

import { describe, expect, it } from 'vitest';
import { readCases, readManifest, readTokenizer } from './recorded.ts';

interface TokenCase {
  readonly text: string;
  readonly tokenCount: number;
  /** Begin, prompt, end; the end token, which also pads, only once. */
  readonly ids: readonly number[];
}

const cases = readCases<TokenCase>('tokenizer.json');
const tokenizer = readTokenizer();
const { tokensMax } = readManifest();
const END = 49407;

const inWords = (text: string) => JSON.stringify(text.slice(0, 60));

describe("CLIP's tokenizer", () => {
  it('is checked on at least 500 strings', () => {
    expect(cases.length).toBeGreaterThanOrEqual(500);
  });

  it.each(cases.map((each) => [inWords(each.text), each] as const))(
    'gives the ids of transformers for %s',
    (_, each) => {
      const { ids, tokenCount, isTruncated } = tokenizer.encode(each.text);
      const padding = new Array<number>(tokensMax - each.ids.length).fill(END);
      expect([...ids]).toEqual([...each.ids, ...padding]);
      expect(tokenCount).toBe(each.tokenCount);
      expect(isTruncated).toBe(each.tokenCount > tokensMax - 2);
    },
  );
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTokenizer } from '../../../test/parity/recorded.ts';
import { BundleError } from '../bundle-error.ts';
import { openTokenizer } from './tokenizer.ts';

const tokenizer = readTokenizer();
const POSITIONS = 77;
const [BEGIN, END] = [49406, 49407];

const files = {
  vocab: { a: 0, 'a</w>': 1, aa: 2, 'aa</w>': 3, '<s>': 4, '</s>': 5, '!': 6, '!</w>': 7 },
  merges: '#version: 0.2\na a</w>\na a\n',
  config: { model_max_length: 6, bos_token: { content: '<s>' }, eos_token: '</s>', pad_token: '!' },
};

describe('a tokenizer', () => {
  it('frames any text at all into as many ids as the model has positions', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const { ids, tokenCount, isTruncated } = tokenizer.encode(text);
        expect(ids).toHaveLength(POSITIONS);
        expect(ids[0]).toBe(BEGIN);
        expect(ids[Math.min(tokenCount + 1, POSITIONS - 1)]).toBe(END);
        expect(isTruncated).toBe(tokenCount > POSITIONS - 2);
      }),
    );
  });

  it('reads a lone surrogate as the replacement character', () => {
    expect(tokenizer.encode('a \ud800 b')).toEqual(tokenizer.encode('a \ufffd b'));
  });

  it("takes the special tokens, padding included, from the bundle's own configuration", () => {
    const small = openTokenizer(files);
    expect(small.encode('aa')).toEqual({
      ids: Int32Array.of(4, 3, 5, 6, 6, 6),
      tokenCount: 1,
      isTruncated: false,
    });
    expect([...small.encode('aa!aa').ids]).toEqual([4, 3, 6, 3, 5, 6]);
    expect([...small.encode('a a a a a').ids]).toEqual([4, 1, 1, 1, 1, 5]);
  });

  it.each([
    [{ vocab: [] }, 'vocab.json'],
    [{ vocab: { a: 'x' } }, 'vocab.json'],
    [{ vocab: { a: 0 } }, '<s>'],
    [{ merges: '' }, 'merges.txt'],
    [{ merges: '<html>' }, 'merges.txt'],
    [{ config: null }, 'tokenizer_config.json'],
    [{ config: { ...files.config, model_max_length: 1e30 } }, 'model_max_length'],
    [{ config: { ...files.config, eos_token: 3 } }, 'eos_token'],
  ])('refuses files that are not a tokenizer: %o', (broken, name) => {
    expect(() => openTokenizer({ ...files, ...broken })).toThrow(BundleError);
    expect(() => openTokenizer({ ...files, ...broken })).toThrow(name);
  });
});

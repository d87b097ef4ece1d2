import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTokenizer } from '../../../test/parity/recorded.ts';
import { BundleError } from '../bundle-error.ts';
import { openTokenizer } from './tokenizer.ts';

const tokenizer = readTokenizer();

const files = {
  vocab: { a: 0, 'a</w>': 1, aa: 2, 'aa</w>': 3, '<s>': 4, '</s>': 5, '!': 6, '!</w>': 7 },
  merges: '#version: 0.2\na a</w>\na a\n',
  config: { model_max_length: 6, bos_token: { content: '<s>' }, eos_token: '</s>', pad_token: '!' },
};

/** The small vocabulary with words of textual inversion, under the ids from 8 on. */
function withWords(...names: readonly string[]) {
  const words = names.map((content, index) => [8 + index, { content, special: false }] as const);
  const special = [4, { content: '<s>', special: true }] as const;
  const added_tokens_decoder = Object.fromEntries([special, ...words]);
  return openTokenizer({ ...files, config: { ...files.config, added_tokens_decoder } });
}

describe('a tokenizer', () => {
  it('takes any text at all apart into tokens that it can spell', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        for (const ids of tokenizer.tokenize(text)) {
          expect(ids).toHaveLength(1);
          expect(ids.map((id) => tokenizer.spell(id).text)).not.toContain('');
        }
      }),
    );
  });

  it('reads a lone surrogate as the replacement character', () => {
    expect(tokenizer.tokenize('a \ud800 b')).toEqual(tokenizer.tokenize('a \ufffd b'));
  });

  it("takes the special tokens, padding included, from the bundle's own configuration", () => {
    const small = openTokenizer(files);
    expect(small).toMatchObject({ positions: 6, marks: { begin: 4, end: 5, padding: 6 }, comma: null });
    expect(small.tokenize('aa').flat()).toEqual([3]);
    expect(small.tokenize('aa!aa').flat()).toEqual([3, 6, 3]);
    expect(small.tokenize('a a a a a').flat()).toEqual([1, 1, 1, 1, 1]);
    expect(tokenizer.spell(tokenizer.comma ?? 0)).toEqual({ text: ',', endsWord: true });
  });

  it('spells tokens as text, in any script, and says where a word ends', () => {
    const spelled = (text: string) =>
      tokenizer
        .tokenize(text)
        .flat()
        .map((id) => tokenizer.spell(id));
    expect(spelled('Apples')).toEqual([{ text: 'apples', endsWord: true }]);
    expect(spelled('caf\u00e9')).toEqual([{ text: 'caf\u00e9', endsWord: true }]);
    const parts = spelled('xyzzy');
    expect(parts.map(({ text }) => text).join('')).toBe('xyzzy');
    expect(parts.map(({ endsWord }) => endsWord)).toEqual([false, true]);
    expect(
      spelled('\u4e00')
        .map(({ text }) => text)
        .join(''),
    ).toContain('\ufffd');
    expect(spelled('<|endoftext|>')).toEqual([{ text: '<|endoftext|>', endsWord: false }]);
    expect(tokenizer.spell(1_000_000).text).toBe('');
  });

  it('finds a word of textual inversion anywhere in a text, in capitals or not, with all its vectors', () => {
    const words = withWords('<cat>', '<cat>_1', '<cat>_2', 'My-Style');
    expect(words.tokenize('a <cat> aa')).toEqual([[1], [8, 9, 10], [3]]);
    expect(words.tokenize('a<CAT>a, MY-STYLE')).toEqual([[1], [8, 9, 10], [1], [5], [11]]);
    expect(words.tokenize('<cat>_2')).toEqual([[10]]);
    expect(words.tokenize('<s><cat')[0]).toEqual([4]);
    expect(words.spell(11)).toEqual({ text: 'My-Style', endsWord: true });
  });

  it('refuses a word of textual inversion that no chunk could hold', () => {
    expect(() => withWords('x', 'x_1', 'x_2', 'x_3')).not.toThrow();
    expect(() => withWords('x', 'x_1', 'x_2', 'x_3', 'x_4')).toThrow('5 vectors');
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
    [
      { config: { ...files.config, added_tokens_decoder: { x: { content: 'word' } } } },
      'added_tokens_decoder',
    ],
    [{ config: { ...files.config, added_tokens_decoder: { 8: 'word' } } }, 'added_tokens_decoder'],
  ])('refuses files that are not a tokenizer: %o', (broken, name) => {
    expect(() => openTokenizer({ ...files, ...broken })).toThrow(BundleError);
    expect(() => openTokenizer({ ...files, ...broken })).toThrow(name);
  });
});

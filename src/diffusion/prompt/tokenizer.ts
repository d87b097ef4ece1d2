import { Tokenizer as Backend } from '@huggingface/tokenizers';
import { BundleError } from '../bundle-error.ts';
import { parseAddedTokens } from './added-tokens.ts';
import type { Tokenize, WholeWord } from './cut-words.ts';
import { cutWords } from './cut-words.ts';
import type { TokenSpelling } from './token-spelling.ts';
import { spellToken } from './token-spelling.ts';

/** A bundle's `tokenizer/` folder, already read. */
export interface TokenizerFiles {
  /** Parsed `vocab.json`. */
  readonly vocab: unknown;
  /** Text of `merges.txt`. */
  readonly merges: string;
  /** Parsed `tokenizer_config.json`. */
  readonly config: unknown;
}

/** What frames the tokens of a chunk. */
export interface Marks {
  readonly begin: number;
  readonly end: number;
  /** Behind the end, up to the last position. */
  readonly padding: number;
}

export interface Tokenizer {
  /** As many ids as the text encoder takes at once, marks included. */
  readonly positions: number;
  readonly marks: Marks;
  /** The token of a comma that ends a word; null when the vocabulary has none. */
  readonly comma: number | null;
  /**
   * Any text as tokens, without marks; the same text always gives the same ones. Ids that are one list belong
   * together: the vectors of a word of textual inversion. Everything else is by itself.
   */
  readonly tokenize: Tokenize;
  /** What a token stands for. */
  spell(id: number): TokenSpelling;
}

type Special = {
  readonly bos: string;
  readonly eos: string;
  readonly pad: string;
};

type Config = Special & {
  readonly positions: number;
  /** Not parsed yet. */
  readonly added: unknown;
};

type Vocab = Readonly<Record<string, number>>;

/**
 * CLIP's byte-level BPE, id for id what transformers' `CLIPTokenizer` gives; a special token spelled out in the
 * prompt is that token, there as here, and so is a word of textual inversion, in capitals or not.
 * The one exception is characters so new that only one side's Unicode tables know them as letters or marks.
 * Throws a `BundleError` when the files are not such a tokenizer's.
 */
export function openTokenizer(files: TokenizerFiles): Tokenizer {
  const { positions, added: addedField, ...special } = parseConfig(files.config);
  const vocab = parseVocab(files.vocab);
  const added = parseAddedTokens(addedField, vocab);
  const longest = Math.max(0, ...added.map(({ ids }) => ids.length));
  if (longest > positions - 2) {
    throw new BundleError(`tokenizer_config.json: a word has ${longest} vectors, more than a chunk holds.`);
  }
  const backend = new Backend(clipPipeline(vocab, parseMerges(files.merges), special.eos), {});
  const encode: Tokenize = (text) =>
    backend.encode(text, { add_special_tokens: false }).ids.map((id: number) => [id]);
  // Special tokens are cut out here and not by the library, which looks for them again after
  // lowering the text and so takes a prompt that is one of them in capitals for the token itself.
  const specials = Object.values(special).map((name) => ({ name, ids: [idOf(vocab, name)] }));
  const tokenize = cutWords(
    { words: specials, isCaseless: false },
    cutWords({ words: added, isCaseless: true }, encode),
  );
  return {
    positions,
    marks: {
      begin: idOf(vocab, special.bos),
      end: idOf(vocab, special.eos),
      padding: idOf(vocab, special.pad),
    },
    comma: Object.hasOwn(vocab, COMMA) ? (vocab[COMMA] ?? null) : null,
    // A lone surrogate has no bytes; every UTF-8 door turns it into the replacement character.
    tokenize: (text) => tokenize(text.toWellFormed()),
    spell: createSpelling(vocab, added),
  };
}

const COMMA = ',</w>';

function createSpelling(vocab: Vocab, added: readonly WholeWord[]): Tokenizer['spell'] {
  const written = new Map(Object.entries(vocab).map(([token, id]) => [id, token]));
  const words = new Map(added.map(({ name, ids: [id] }) => [id, name]));
  return (id) => {
    const text = words.get(id);
    return text === undefined ? spellToken(written.get(id) ?? '') : { text, endsWord: true };
  };
}

// A bundle saved without the length says 10^30.
const POSITIONS_MAX = 100_000;

// CLIP's own split, and after it GPT-2's, which the byte-level step of the reference applies to each
// piece. The second one matters only where a prompt spells a special token in capitals.
const CLIP_SPLIT = String.raw`<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`;
const BYTE_LEVEL_SPLIT = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** What `tokenizer.json` would say if the bundle had one. */
function clipPipeline(vocab: Vocab, merges: readonly string[], unknown: string): object {
  return {
    added_tokens: [],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: String.raw`\s+` }, content: ' ' },
        // The reference lowers each character by itself; JavaScript would make a final sigma of a word's last one.
        { type: 'Replace', pattern: { String: 'Σ' }, content: 'σ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: CLIP_SPLIT }, behavior: 'Removed', invert: true },
        { type: 'Split', pattern: { Regex: BYTE_LEVEL_SPLIT }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: null,
    model: { type: 'BPE', unk_token: unknown, end_of_word_suffix: '</w>', fuse_unk: false, vocab, merges },
  };
}

function parseMerges(text: string): readonly string[] {
  // Only the first line can be a comment: '#' is a symbol of the alphabet.
  const merges = text
    .replace(/^#version.*\n/, '')
    .split(/\r?\n/)
    .filter(Boolean);
  if (merges.length === 0 || !merges.every((line) => /^\S+ \S+$/.test(line))) {
    throw new BundleError('merges.txt must hold one pair of symbols on each line.');
  }
  return merges;
}

function parseVocab(json: unknown): Vocab {
  const entries = Object.entries(asRecord(json, 'vocab.json'));
  if (!entries.every((entry): entry is [string, number] => Number.isInteger(entry[1]))) {
    throw new BundleError('vocab.json must give every token a whole number.');
  }
  return Object.fromEntries(entries);
}

function parseConfig(json: unknown): Config {
  const record = asRecord(json, 'tokenizer_config.json');
  const positions = record['model_max_length'];
  const isCount = typeof positions === 'number' && Number.isInteger(positions);
  if (!isCount || positions < 3 || positions > POSITIONS_MAX) {
    throw new BundleError("tokenizer_config.json: model_max_length must be the model's number of positions.");
  }
  const token = (field: string) => parseToken(record[field], field);
  const added = record['added_tokens_decoder'];
  return { positions, added, bos: token('bos_token'), eos: token('eos_token'), pad: token('pad_token') };
}

/** A special token is a string, or in older folders an object that holds it. */
function parseToken(value: unknown, field: string): string {
  const content: unknown =
    typeof value === 'object' && value !== null && 'content' in value ? value.content : value;
  if (typeof content !== 'string') throw new BundleError(`tokenizer_config.json: ${field} must be a token.`);
  return content;
}

function asRecord(json: unknown, file: string): Readonly<Record<string, unknown>> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new BundleError(`${file} must hold one JSON object.`);
  }
  return { ...json };
}

function idOf(vocab: Vocab, token: string): number {
  const id = Object.hasOwn(vocab, token) ? vocab[token] : undefined;
  if (id === undefined) throw new BundleError(`vocab.json lacks the special token ${token}.`);
  return id;
}

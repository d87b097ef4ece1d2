import { BundleError } from '../bundle-error.ts';
import type { WholeWord } from './cut-words.ts';

/**
 * The words of textual inversion: those of `added_tokens_decoder` in a `tokenizer_config.json` that are not in `vocab`,
 * which is what a pipeline with textual inversion is saved as. The vectors of a word are tokens of their own, NAME,
 * NAME_1, NAME_2 and so on, as diffusers has them; NAME stands for all.
 * Throws a `BundleError` when the field is something else.
 */
export function parseAddedTokens(
  field: unknown,
  vocab: Readonly<Record<string, number>>,
): readonly WholeWord[] {
  const ids = new Map(
    Object.entries(Object(field ?? {}))
      .map(([id, token]) => [parseContent(token), Number(id)] as const)
      .filter(([name]) => !Object.hasOwn(vocab, name)),
  );
  if (![...ids].every(([name, id]) => name !== '' && Number.isInteger(id) && id >= 0)) {
    throw new BundleError('tokenizer_config.json: added_tokens_decoder must give each id a word.');
  }
  return [...ids].map(([name, id]) => ({ name, ids: [id, ...furtherVectors(ids, name)] }));
}

function furtherVectors(ids: ReadonlyMap<string, number>, name: string): readonly number[] {
  const further: number[] = [];
  for (let id = ids.get(`${name}_1`); id !== undefined; id = ids.get(`${name}_${further.length + 1}`)) {
    further.push(id);
  }
  return further;
}

function parseContent(token: unknown): string {
  const content: unknown =
    typeof token === 'object' && token !== null && 'content' in token ? token.content : null;
  return typeof content === 'string' ? content : '';
}

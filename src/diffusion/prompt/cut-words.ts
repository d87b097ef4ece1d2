/** Text to tokens; ids that are one list belong together. */
export type Tokenize = (text: string) => readonly (readonly number[])[];

/** A word that is tokens of its own wherever it stands, also inside of another word. */
export interface WholeWord {
  readonly name: string;
  readonly ids: readonly number[];
}

export interface CutOptions {
  readonly words: readonly WholeWord[];
  /** Whether capitals are the same word. */
  readonly isCaseless: boolean;
}

/** Cuts `words` out of a text and leaves what lies between them to `rest`. */
export function cutWords({ words, isCaseless }: CutOptions, rest: Tokenize): Tokenize {
  if (words.length === 0) return rest;
  const spelled = (text: string) => (isCaseless ? text.toLowerCase() : text);
  const ids = new Map(words.map((word) => [spelled(word.name), word.ids]));
  // The longest first: NAME_12 is not NAME_1 and a 2.
  const names = words.map(({ name }) => name).toSorted((a, b) => b.length - a.length);
  const cut = new RegExp(`(${names.map(escapePattern).join('|')})`, isCaseless ? 'iu' : 'u');
  return (text) =>
    text.split(cut).flatMap((piece) => {
      const found = ids.get(spelled(piece));
      return found ? [found] : rest(piece);
    });
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}

/** A stretch of a prompt whose words have one weight, or the place where a new chunk begins. */
export type PromptPart = WeightedText | { readonly kind: 'BREAK' };

export interface WeightedText {
  readonly kind: 'TEXT';
  /** Not empty; brackets and backslashes of the syntax are gone. */
  readonly text: string;
  /** How much its words count, 1 as they are. A finite float32, of either sign. */
  readonly weight: number;
}

type Bracket = 'ROUND' | 'SQUARE';

type Lexeme =
  | { readonly kind: 'TEXT'; readonly text: string }
  | { readonly kind: 'BREAK' }
  | { readonly kind: 'OPEN'; readonly bracket: Bracket; factor: number }
  | { readonly kind: 'CLOSE'; readonly bracket: Bracket };

const FACTORS: Readonly<Record<Bracket, number>> = { ROUND: 1.1, SQUARE: 1 / 1.1 };

// Written so that nothing is tried twice: a run of digits has one way to be a number.
const LEXEME = /\\([\\()[\]:]?)|([([])|:\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*\)|([)\]])|:|[^\\()[\]:]+/gu;

// By itself among letters, digits and underscores of any script.
const BREAK = /(?<![\p{L}\p{N}_])BREAK(?![\p{L}\p{N}_])/u;

const FLOAT32_MAX = (2 - 2 ** -23) * 2 ** 127;

/**
 * Reads the weights that a prompt gives its words, in the syntax of AUTOMATIC1111's web UI: `(x)` counts 1.1
 * times, `[x]` 1/1.1 times, `(x:1.3)` 1.3 times, nested ones multiply, a backslash takes a bracket for text,
 * and BREAK ends a chunk. What does not fit is text; a bracket that nobody closes holds until the end.
 *
 * Never throws. Linear in time and without recursion, whatever the nesting: each bracket learns its factor
 * when it is closed, and one more pass multiplies the factors of those that are open. Round and square brackets
 * may overlap, for each kind is matched by itself; so a weight is the product of two stacks. Where this differs
 * from the reference is in `docs/adr/0016-prompts.md`.
 */
export function parseWeightedText(prompt: string): readonly PromptPart[] {
  return joinEqual(weigh(readLexemes(prompt)));
}

function readLexemes(prompt: string): readonly Lexeme[] {
  const lexemes: Lexeme[] = [];
  const open: Record<Bracket, Extract<Lexeme, { kind: 'OPEN' }>[]> = { ROUND: [], SQUARE: [] };
  const close = (bracket: Bracket, text: string, factor: number = FACTORS[bracket]) => {
    const opened = open[bracket].pop();
    if (opened) opened.factor = factor;
    lexemes.push(opened ? { kind: 'CLOSE', bracket } : { kind: 'TEXT', text });
  };
  for (const [all, escaped, opening, factor, closing] of prompt.matchAll(LEXEME)) {
    if (escaped !== undefined) lexemes.push({ kind: 'TEXT', text: escaped });
    else if (opening !== undefined) {
      const bracket = opening === '(' ? 'ROUND' : 'SQUARE';
      const opened = { kind: 'OPEN', bracket, factor: FACTORS[bracket] } as const;
      open[bracket].push(opened);
      lexemes.push(opened);
    } else if (factor !== undefined) close('ROUND', all, Number(factor));
    else if (closing !== undefined) close(closing === ')' ? 'ROUND' : 'SQUARE', all);
    else for (const lexeme of splitAtBreaks(all)) lexemes.push(lexeme);
  }
  return lexemes;
}

function splitAtBreaks(text: string): readonly Lexeme[] {
  const [first = '', ...others] = text.split(BREAK);
  if (others.length === 0) return [{ kind: 'TEXT', text }];
  return [
    { kind: 'TEXT', text: first.trimEnd() },
    ...others.flatMap((each, index): readonly Lexeme[] => {
      const isLast = index === others.length - 1;
      return [{ kind: 'BREAK' }, { kind: 'TEXT', text: isLast ? each.trimStart() : each.trim() }];
    }),
  ];
}

function weigh(lexemes: readonly Lexeme[]): readonly PromptPart[] {
  const products: Record<Bracket, number[]> = { ROUND: [1], SQUARE: [1] };
  const top = (bracket: Bracket) => products[bracket].at(-1) ?? 1;
  return lexemes.flatMap((lexeme): readonly PromptPart[] => {
    switch (lexeme.kind) {
      case 'OPEN':
        // Bounded, so that no infinity meets a weight of zero.
        products[lexeme.bracket].push(bounded(top(lexeme.bracket) * lexeme.factor, Number.MAX_VALUE));
        return [];
      case 'CLOSE':
        products[lexeme.bracket].pop();
        return [];
      case 'BREAK':
        return [{ kind: 'BREAK' }];
      case 'TEXT': {
        const weight = Math.fround(bounded(top('ROUND') * top('SQUARE'), FLOAT32_MAX));
        return lexeme.text === '' ? [] : [{ kind: 'TEXT', text: lexeme.text, weight }];
      }
    }
  });
}

function bounded(value: number, max: number): number {
  return Math.min(Math.max(value, -max), max);
}

/** Text of one weight is one text again, for a word that was taken apart would be other tokens. */
function joinEqual(parts: readonly PromptPart[]): readonly PromptPart[] {
  const joined: PromptPart[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    const goesOn = last?.kind === 'TEXT' && part.kind === 'TEXT' && last.weight === part.weight;
    if (goesOn) joined[joined.length - 1] = { ...last, text: last.text + part.text };
    else joined.push(part);
  }
  return joined;
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PromptPart } from './weighted-text.ts';
import { parseWeightedText } from './weighted-text.ts';

/** `text@weight` for each text, `BREAK` for each break. */
function inShort(prompt: string): readonly string[] {
  return parseWeightedText(prompt).map((part) =>
    part.kind === 'BREAK' ? 'BREAK' : `${part.text}@${Number(part.weight.toPrecision(6))}`,
  );
}

const textsOf = (parts: readonly PromptPart[]) => parts.flatMap((part) => (part.kind === 'TEXT' ? part : []));
const escaped = (text: string) => text.replace(/[\\()[\]]/g, String.raw`\$&`);

/** Of the characters that mean something, so that their meanings meet. */
const syntax = fc
  .array(fc.constantFrom('(', ')', '[', ']', ':', '\\', ' ', 'a', 'BREAK', '1.3', ':1.3)', ': 0.5 )', '-'), {
    maxLength: 60,
  })
  .map((pieces) => pieces.join(''));

describe('weighted text', () => {
  it.each([
    ['a red apple', ['a red apple@1']],
    ['a (red) apple', ['a @1', 'red@1.1', ' apple@1']],
    ['a [red] apple', ['a @1', 'red@0.909091', ' apple@1']],
    ['a (red:1.3) apple', ['a @1', 'red@1.3', ' apple@1']],
    ['((red))', ['red@1.21']],
    ['((a):1.5)', ['a@1.65']],
    ['(a (b:2) c:0.5)', ['a @0.5', 'b@1', ' c@0.5']],
    ['([a])b', ['ab@1']],
    ['(a [b) c] d', ['a @1.1', 'b@1', ' c@0.909091', ' d@1']],
    ['(a : 1.5 )', ['a @1.5']],
    ['(a:+.5)(b:-1)(c:0)(d:2.)', ['a@0.5', 'b@-1', 'c@0', 'd@2']],
  ])('reads %j', (prompt, expected) => {
    expect(inShort(prompt)).toEqual(expected);
  });

  it.each([
    ['a (red apple', ['a @1', 'red apple@1.1']],
    ['[[a', ['a@0.826446']],
    ['a) b] c', ['a) b] c@1']],
    ['a:1.3) b', ['a:1.3) b@1']],
    ['at 10:30, ratio 1:2', ['at 10:30, ratio 1:2@1']],
    ['[a:1.3]', ['a:1.3@0.909091']],
    ['(a:1.2.3)', ['a:1.2.3@1.1']],
    ['(a:)', ['a:@1.1']],
    ['(a:.)', ['a:.@1.1']],
    ['(a:1e3)', ['a:1e3@1.1']],
    ['()', []],
    ['', []],
  ])('takes what does not fit the syntax for text, or until the end: %j', (prompt, expected) => {
    expect(inShort(prompt)).toEqual(expected);
  });

  it.each([
    [String.raw`a \(red\) \[apple\]`, ['a (red) [apple]@1']],
    [String.raw`(\):2)`, [')@2']],
    [String.raw`(a\:2)`, ['a:2@1.1']],
    [String.raw`C:\\path`, [String.raw`C:\path@1`]],
    [String.raw`a\b\ `, ['ab @1']],
    ['a\\', ['a@1']],
  ])('takes a bracket behind a backslash for text, and drops any other backslash: %j', (prompt, expected) => {
    expect(inShort(prompt)).toEqual(expected);
  });

  it.each([
    ['a BREAK b', ['a@1', 'BREAK', 'b@1']],
    ['BREAK', ['BREAK']],
    ['a\nBREAK\n BREAK b', ['a@1', 'BREAK', 'BREAK', 'b@1']],
    ['(a BREAK b:1.3)', ['a@1.3', 'BREAK', 'b@1.3']],
    ['a,BREAK.b', ['a,@1', 'BREAK', '.b@1']],
    [
      'BREAKFAST unBREAK \u00e9BREAK BREAK_ BREAK\u0663 break',
      ['BREAKFAST unBREAK \u00e9BREAK BREAK_ BREAK\u0663 break@1'],
    ],
    [String.raw`BREA\K`, ['BREAK@1']],
  ])('breaks where BREAK stands by itself: %j', (prompt, expected) => {
    expect(inShort(prompt)).toEqual(expected);
  });

  it('never throws, and gives finite weights of float32, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(syntax, fc.string({ unit: 'binary', maxLength: 200 })), (prompt) => {
        for (const { weight, text } of textsOf(parseWeightedText(prompt))) {
          expect(Number.isFinite(weight) && Math.fround(weight) === weight).toBe(true);
          expect(text).not.toBe('');
        }
      }),
    );
  });

  it('never has two texts of one weight side by side, so that no word is cut for nothing', () => {
    fc.assert(
      fc.property(syntax, (prompt) => {
        const parts = parseWeightedText(prompt);
        const meets = parts.some((part, i) => {
          const next = parts[i + 1];
          return part.kind === 'TEXT' && next?.kind === 'TEXT' && part.weight === next.weight;
        });
        expect(meets).toBe(false);
      }),
    );
  });

  it('gives any text back at weight 1 when its brackets and backslashes are escaped', () => {
    const anything = fc.oneof(syntax, fc.string({ unit: 'binary', maxLength: 200 }));
    fc.assert(
      fc.property(
        anything.filter((text) => !text.includes('BREAK') && text !== ''),
        (text) => {
          expect(parseWeightedText(escaped(text))).toEqual([{ kind: 'TEXT', text, weight: 1 }]);
        },
      ),
    );
  });

  // With a square anywhere in it this would take minutes.
  it.each(['(', '[', '([', ')', '(:1.3)', ':', '\\', ': 1', '(a:1', ' BREAK ', '11', ':11', '\n\t '])(
    'is read in linear time: %j',
    (piece) => {
      const longest = piece.repeat(300_000 / piece.length);
      expect(parseWeightedText(longest).length).toBeLessThanOrEqual(longest.length);
    },
  );

  it('holds ten thousand brackets, whose weight stays a number', () => {
    const deep = (open: string, close: string) => `${open.repeat(10_000)}a${close.repeat(10_000)}`;
    const weight = (prompt: string) => textsOf(parseWeightedText(prompt)).map((part) => part.weight);
    expect(weight(deep('(', ')'))).toEqual([3.4028234663852886e38]);
    expect(weight(deep('[', ']'))).toEqual([0]);
    expect(weight('(['.repeat(4_000) + 'a')).toEqual([1]);
    expect(weight(`${'('.repeat(10_000)}(a:0)`)).toEqual([0]);
  });
});

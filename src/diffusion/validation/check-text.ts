import { isGuided } from '../guidance.ts';
import { parseWeightedText } from '../prompt/weighted-text.ts';
import type { Finding, Subject } from './finding.ts';
import { error, warning } from './finding.ts';

/** Far above CLIP's 77 tokens in any language, far below what would cost the tokenizer time. */
const PROMPT_BYTES_MAX = 8 * 1024;
/** A picture comes apart long before; the bound keeps what the engines compute with within half precision. */
const WEIGHT_MAX = 10;

type PromptField = 'prompt' | 'negativePrompt';

export function checkPrompt({ settings: { prompt } }: Subject): readonly Finding[] {
  if (prompt.trim() === '') {
    return [error('PROMPT_EMPTY', 'prompt', { message: 'The prompt is empty.', fix: 'Say what to draw.' })];
  }
  return checkText('prompt', prompt);
}

export function checkNegativePrompt({
  settings: { negativePrompt, guidanceScale },
}: Subject): readonly Finding[] {
  const unused = warning('NEGATIVE_PROMPT_UNUSED', 'negativePrompt', {
    message: 'A guidance scale of 1 or less switches guidance off, and the negative prompt with it.',
    fix: 'Raise guidanceScale above 1, or leave the negative prompt out.',
  });
  const isUnused = negativePrompt.trim() !== '' && !isGuided(guidanceScale);
  return [...checkText('negativePrompt', negativePrompt), ...(isUnused ? [unused] : [])];
}

/** Weights only of a text that is short enough to be read. */
function checkText(field: PromptField, text: string): readonly Finding[] {
  const tooLong = checkLength(field, text);
  return tooLong.length > 0 ? tooLong : checkWeights(field, text);
}

function checkLength(field: PromptField, text: string): readonly Finding[] {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= PROMPT_BYTES_MAX) return [];
  const message = `The text is ${bytes} bytes long; at most ${PROMPT_BYTES_MAX} are accepted.`;
  return [error('PROMPT_TOO_LONG', field, { message, fix: `Shorten it to ${PROMPT_BYTES_MAX} bytes.` })];
}

/** The weight and not its words: a finding never holds what a tenant wrote. */
function checkWeights(field: PromptField, text: string): readonly Finding[] {
  const weights = parseWeightedText(text).flatMap((part) => (part.kind === 'TEXT' ? part.weight : []));
  const wrong = weights.find((weight) => Math.abs(weight) > WEIGHT_MAX);
  if (wrong === undefined) return [];
  const message = `A text in brackets has the weight ${wrong.toPrecision(3)}; it must lie between -${WEIGHT_MAX} and ${WEIGHT_MAX}.`;
  const fix = String.raw`Use fewer brackets or a smaller number, or write \( and \[ where a bracket is meant as text.`;
  return [error('PROMPT_WEIGHT_OUT_OF_RANGE', field, { message, fix })];
}

import { describe, expect, it } from 'vitest';
import { readManifest, readTokenizer } from '../../../test/parity/recorded.ts';
import type { Manifest } from '../../kernel/manifest.ts';
import { framePrompts } from './frame-prompts.ts';

const tokenizer = readTokenizer();
const manifest = readManifest();
const apples = (count: number) => Array.from({ length: count }, () => 'apple').join(' ');

const frame = (prompt: string, negativePrompt = '', guidanceScale = 4) =>
  framePrompts(tokenizer, manifest, { prompt, negativePrompt, guidanceScale });
const counts = (...prompts: Parameters<typeof frame>) => {
  const { prompt, negativePrompt } = frame(...prompts);
  return [prompt.chunks.length, negativePrompt.chunks.length];
};
const [empty] = frame('').prompt.chunks;

/** The bundle as if its U-Nets had been built for this many tokens. */
function builtFor(tokens: number): Manifest {
  const fix = (shape: readonly number[]) =>
    shape.map((size, axis) => (axis === 1 && size === -1 ? tokens : size));
  const parts = Object.entries(manifest.parts).map(([name, part]) => {
    const inputs = part.inputs.map((each) =>
      each.name.endsWith('hidden_states') ? { ...each, shape: fix(each.shape) } : each,
    );
    return [name, { ...part, inputs }] as const;
  });
  return { ...manifest, parts: Object.fromEntries(parts) };
}

describe('the prompts of a job', () => {
  it('are equally many chunks with guidance, the shorter one followed by empty ones', () => {
    expect(counts(apples(10))).toEqual([1, 1]);
    expect(counts(apples(10), apples(200))).toEqual([3, 3]);
    expect(counts(apples(200), '')).toEqual([3, 3]);
    expect(frame(apples(10), apples(200)).prompt.chunks.slice(1)).toEqual([empty, empty]);
  });

  it('without guidance are as long as the one that is drawn with', () => {
    expect(counts(apples(10), apples(200), 1)).toEqual([1, 3]);
    expect(frame(apples(10), apples(200), 1).prompt).toEqual(frame(apples(10), '', 1).prompt);
  });

  it('are cut at eight chunks, and say so', () => {
    expect(frame(apples(600)).prompt).toMatchObject({ tokenCount: 600, isTruncated: false });
    const { prompt } = frame(apples(601));
    expect(prompt).toMatchObject({ tokenCount: 601, isTruncated: true });
    expect(prompt.chunks).toEqual(frame(apples(600)).prompt.chunks);
  });

  it('have exactly as many chunks as the U-Net was built for, where it was built for a number', () => {
    const settings = { prompt: apples(100), negativePrompt: '', guidanceScale: 4 };
    const one = framePrompts(tokenizer, builtFor(77), settings);
    expect([one.prompt.chunks.length, one.prompt.isTruncated]).toEqual([1, true]);
    const three = framePrompts(tokenizer, builtFor(231), { ...settings, guidanceScale: 1 });
    expect([three.prompt.chunks.length, three.prompt.isTruncated]).toEqual([3, false]);
  });
});

import { expect, it } from 'vitest';
import { chunksToEncode, toConditions } from './conditions.ts';
import type { FramedPrompt } from './frame-prompts.ts';

const framed = (...chunks: FramedPrompt['chunks']): FramedPrompt => ({
  chunks,
  tokenCount: 0,
  isTruncated: false,
});
const chunk = (id: number, weights: readonly number[] | null = null) => ({ ids: [id, id], weights });
const prompts = {
  negativePrompt: framed(chunk(1), chunk(2, [1, 2])),
  prompt: framed(chunk(3, [1, 0]), chunk(4)),
};
const guided = { form: 'IN_GRAPH', part: 'unet_cfg', scale: 4 } as const;
const plain = { form: 'NONE', part: 'unet', scale: 1 } as const;
const ones = (rows: number) => new Float32Array(rows * 2).fill(1);

it('conditions are the prompts one behind the other, each chunk weighed by itself', () => {
  expect(chunksToEncode(prompts, guided).map(({ ids }) => ids[0])).toEqual([1, 2, 3, 4]);
  const { cond, uncond } = toConditions(prompts, guided, ones(4));
  expect([...(uncond ?? [])]).toEqual([1, 1, Math.fround(2 / 3), Math.fround(4 / 3)]);
  expect([...cond]).toEqual([2, 0, 1, 1]);
});

it('without guidance the prompt is all there is', () => {
  expect(chunksToEncode(prompts, plain)).toEqual(prompts.prompt.chunks);
  const { cond, uncond } = toConditions(prompts, plain, ones(2));
  expect(uncond).toBeNull();
  expect([...cond]).toEqual([2, 0, 1, 1]);
});

import { describe, expect, it } from 'vitest';
import { readManifest, readSchedulerConfig } from '../../test/parity/recorded.ts';
import { BundleError } from './index.ts';
import { compilePlan, pictureSeed } from './plan.ts';
import type { Settings } from './settings.ts';
import { resolveSettings } from './settings.ts';

const manifest = readManifest();
const schedulerConfig = readSchedulerConfig();
const good = resolveSettings(manifest, {
  prompt: 'a red apple',
  seed: 2n,
  negativePrompt: 'blurry',
  steps: 4,
});

function compile(changes: Partial<Settings>, parts = manifest.parts, promptChunks = 1) {
  return compilePlan({
    manifest: { ...manifest, parts },
    schedulerConfig,
    settings: { ...good, ...changes },
    promptChunks,
  });
}

const { unet, unet_cfg: guided, ...others } = manifest.parts;
const onlyPlain = unet ? { ...others, unet } : others;
const onlyGuided = guided ? { ...others, unet_cfg: guided } : others;

describe('a plan', () => {
  it('lists every call of a guided job, with shapes and rows', () => {
    const plan = compile({ width: 256, imageCount: 3 });
    expect(plan.calls.map(({ part, rows }) => [part, rows])).toEqual([
      ['text_encoder', 2],
      ...Array.from({ length: 4 }, () => ['unet_cfg', 3]),
      ['vae_decoder', 3],
    ]);
    const shapes = (index: number) => {
      const call = plan.calls[index];
      return Object.fromEntries(
        [...(call?.inputs ?? []), ...(call?.outputs ?? [])].map((each) => [each.name, each.shape]),
      );
    };
    expect(shapes(0)).toMatchObject({ input_ids: [2, 77], hidden_states: [2, 77, 128] });
    expect(shapes(1)).toEqual({
      sample: [3, 4, 16, 32],
      timestep: [3, 1],
      encoder_hidden_states: [3, 77, 128],
      uncond_hidden_states: [3, 77, 128],
      guidance: [3, 1],
      noise_pred: [3, 4, 16, 32],
    });
    expect(shapes(5)).toEqual({ latents: [3, 4, 16, 32], images: [3, 128, 256, 3] });
    expect(plan).toMatchObject({ totalSteps: 4, latentShape: [4, 16, 32], latentSize: 2048, imageCount: 3 });
  });

  it.each([
    [{ guidanceScale: 4 }, manifest.parts, { form: 'IN_GRAPH', part: 'unet_cfg', scale: 4 }, 1],
    [{ guidanceScale: 4 }, onlyPlain, { form: 'OUTSIDE', part: 'unet', scale: 4 }, 2],
    [{ guidanceScale: 1 }, manifest.parts, { form: 'NONE', part: 'unet', scale: 1 }, 1],
    [{ guidanceScale: 0 }, onlyGuided, { form: 'NONE', part: 'unet_cfg', scale: 1 }, 1],
  ])('guides where the bundle can: %o', (changes, parts, guidance, rows) => {
    const plan = compile(changes, parts);
    expect(plan.guidance).toEqual(guidance);
    expect(plan.calls[1]).toMatchObject({ part: guidance.part, rows });
    expect(plan.calls[0]).toMatchObject({ part: 'text_encoder', rows: guidance.form === 'NONE' ? 1 : 2 });
  });

  it('encodes each chunk of a prompt in a row, and lets the U-Net attend to all of them', () => {
    const plan = compile({}, manifest.parts, 3);
    const shapesOf = (index: number) => plan.calls[index]?.inputs.map(({ shape }) => shape);
    expect(plan.calls[0]?.rows).toBe(6);
    expect(shapesOf(0)).toEqual([[6, 77]]);
    expect(shapesOf(1)).toEqual([
      [1, 4, 16, 16],
      [1, 1],
      [1, 231, 128],
      [1, 231, 128],
      [1, 1],
    ]);
    expect(plan.contextTokens).toBe(231);
    expect(compile({ guidanceScale: 1 }, manifest.parts, 3).calls[0]?.rows).toBe(3);
    expect(plan.costPerPicture).toBe(compile({}).costPerPicture);
  });

  it('draws with the states that clip skip asks for, and with no others', () => {
    expect(compile({}).statesOutput).toBe('hidden_states');
    expect(compile({ clipSkip: 2 }).statesOutput).toBe('hidden_states_clip_skip_2');
    expect(() => compile({ clipSkip: 3 })).toThrow(BundleError);
  });

  it('costs evaluations times pixels, and guidance nothing more', () => {
    const { nativeSize } = manifest;
    expect(compile({}).costPerPicture).toBe(4);
    expect(compile({ width: 2 * nativeSize }).costPerPicture).toBe(8);
    expect(compile({ guidanceScale: 0 }).costPerPicture).toBe(4);
    expect(compile({}, onlyPlain).costPerPicture).toBe(4);
    const { calls, costPerPicture } = compile({ imageCount: 3 });
    expect(calls.reduce((sum, { cost }) => sum + cost, 0)).toBe(3 * costPerPicture);
  });

  it('gives each picture the next seed, round the end of 64 bits', () => {
    expect(compile({ seed: 2n ** 64n - 1n, imageCount: 3 }).seeds).toEqual([2n ** 64n - 1n, 0n, 1n]);
    expect(pictureSeed(5n, 2)).toBe(7n);
  });

  it('refuses a bundle that lacks a part or contradicts itself', () => {
    expect(() => compile({}, others)).toThrow(BundleError);
    const { vae_decoder: _, ...noDecoder } = manifest.parts;
    expect(() => compile({}, noDecoder)).toThrow(BundleError);
    const other = readSchedulerConfig({ prediction_type: 'v_prediction' });
    expect(() => compilePlan({ manifest, schedulerConfig: other, settings: good, promptChunks: 1 })).toThrow(
      BundleError,
    );
  });
});

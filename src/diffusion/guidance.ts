import type { Manifest } from '../kernel/manifest.ts';
import { BundleError } from './bundle-error.ts';
import type { Term } from './kernels.ts';
import { interpolate } from './kernels.ts';

/**
 * Where classifier-free guidance (Ho and Salimans 2022) happens.
 *
 * | form | U-Net rows of a picture | the answer is |
 * |---|---|---|
 * | `IN_GRAPH` | 1 of `unet_cfg`, given both conditions and the scale | already guided |
 * | `OUTSIDE` | 2 of `unet`: all unconditional rows first, then all conditional | the halves of an `Answer` |
 * | `NONE` | 1 of `unet`, or of `unet_cfg` with the positive condition twice and scale 1 | used as it is |
 */
export type GuidanceForm = 'IN_GRAPH' | 'OUTSIDE' | 'NONE';

export interface Guidance {
  readonly form: GuidanceForm;
  readonly part: 'unet' | 'unet_cfg';
  /** What to give the graph, or the halves of an `Answer`; 1 when there is no guidance. */
  readonly scale: number;
}

/** Whether a job is guided: a scale of 1 or less means that it is not, as in diffusers. */
export function isGuided(guidanceScale: number): boolean {
  return guidanceScale > 1;
}

/**
 * Chooses the form from what the bundle has. Without guidance the formula is not used: at a scale of 0 it
 * would follow the negative prompt alone.
 * Throws a `BundleError` when the bundle has no U-Net at all.
 */
export function chooseGuidance(manifest: Manifest, guidanceScale: number): Guidance {
  const hasGraph = Object.hasOwn(manifest.parts, 'unet_cfg');
  const hasPlain = Object.hasOwn(manifest.parts, 'unet');
  if (!hasGraph && !hasPlain) throw new BundleError(`Bundle ${manifest.name} has neither unet nor unet_cfg.`);
  if (!isGuided(guidanceScale)) return { form: 'NONE', part: hasPlain ? 'unet' : 'unet_cfg', scale: 1 };
  return hasGraph
    ? { form: 'IN_GRAPH', part: 'unet_cfg', scale: guidanceScale }
    : { form: 'OUTSIDE', part: 'unet', scale: guidanceScale };
}

/** What the U-Net answered with and without the prompt, for guidance outside the graph. */
export interface Halves {
  readonly uncond: Float32Array;
  readonly cond: Float32Array;
  readonly scale: number;
}

/** What the U-Net answered for one picture: as it is to be used, or its halves, which a step joins as it reads them. */
export type Answer = Float32Array | Halves;

/** `weight` times the answer, as terms of a sum: guidance costs no loop of its own. */
export function outputTerms(weight: number, answer: Answer): readonly Term[] {
  if (answer instanceof Float32Array) return [[weight, answer]];
  const { uncond, cond, scale } = answer;
  return [
    [weight * (1 - scale), uncond],
    [weight * scale, cond],
  ];
}

/** The answer in one array: as it is, or its halves joined in a new one, uncond + scale (cond - uncond). */
export function guidedAnswer(answer: Answer): Float32Array {
  if (answer instanceof Float32Array) return answer;
  const out = new Float32Array(answer.cond.length);
  interpolate(answer.scale, answer, out);
  return out;
}

import type { GenerationPlan } from '../plan.ts';
import { PICTURE_BOUNDS } from './bounds.ts';
import type { PictureFault } from './fault.ts';
import { rootMeanSquare, roughnessOf } from './measure-latents.ts';
import type { Pixels } from './measure-pixels.ts';
import { cellSteps, levelRange } from './measure-pixels.ts';

/** One picture at its end. */
export interface FinishedPicture {
  /** [C, h, w], before the decoder's scaling. */
  readonly latents: Float32Array;
  /** What the decoder made of them: a whole number of pixels for each latent cell. */
  readonly pixels: Pixels;
}

/** Judges a finished picture. Null when nothing is wrong with it. Pure; expects finite latents. */
export function judgePicture(
  { latentShape }: Pick<GenerationPlan, 'latentShape'>,
  { latents, pixels }: FinishedPicture,
): PictureFault | null {
  const strength = rootMeanSquare(latents);
  const fault = judgeStrength(strength) ?? judgeRange(pixels);
  if (fault || strength >= PICTURE_BOUNDS.noiseRms) return fault;
  return judgeNoise(latentShape, { latents, pixels });
}

function judgeStrength(seen: number): PictureFault | null {
  if (seen < PICTURE_BOUNDS.latentRms) return null;
  const message = `What was drawn is ${seen.toPrecision(2)} times as strong as a picture. It was not charged.`;
  return { code: 'OUTPUT_IS_NOISE', kind: 'SATURATED', seen, message };
}

function judgeRange(pixels: Pixels): PictureFault | null {
  const seen = levelRange(pixels, PICTURE_BOUNDS.flatLevels);
  if (seen > PICTURE_BOUNDS.flatLevels) return null;
  const message = `All of the picture has one colour, within ${seen} of 255 levels. It was not charged.`;
  return { code: 'OUTPUT_IS_FLAT', kind: 'FLAT', seen, message };
}

function judgeNoise(
  latentShape: GenerationPlan['latentShape'],
  { latents, pixels }: FinishedPicture,
): PictureFault | null {
  const seen = roughnessOf(latents, latentShape);
  if (seen < PICTURE_BOUNDS.latentRoughness) return null;
  const { median, quietShare } = cellSteps(pixels, latentShape);
  if (median < PICTURE_BOUNDS.cellStepLevels || quietShare > PICTURE_BOUNDS.quietShare) return null;
  const message =
    `What was drawn is noise: ${seen.toFixed(2)} as rough as noise alone, all over. It was not charged. ` +
    'More steps or another scheduler may do.';
  return { code: 'OUTPUT_IS_NOISE', kind: 'NOISE', seen, message };
}

import type { Manifest } from '../../kernel/manifest.ts';
import { familyRule } from './family-rules.ts';
import type { Finding, Subject } from './finding.ts';
import { error, warning } from './finding.ts';

/** Attention's work grows with the square of this, whatever the model's native size; a larger picture wants tiles. */
const PIXELS_MAX = 4 * 1024 * 1024;

/** Each side by itself, then what the two come to. */
export function checkSize(subject: Subject): readonly Finding[] {
  const sides = checkSides(subject);
  // Only where each side is allowed by itself, so that one mistake gives one finding.
  if (sides.length > 0) return sides;
  const tooMany = checkPixels(subject);
  return tooMany.length > 0 ? tooMany : checkUsual(subject);
}

function checkSides({ manifest, settings }: Subject): readonly Finding[] {
  const { multiple, min, max } = sidesOf(manifest);
  return (['width', 'height'] as const).flatMap((field) => {
    const side = settings[field];
    const nearest = Math.min(Math.max(Math.round(side / multiple) || 1, min / multiple) * multiple, max);
    const fix = `Use ${nearest}.`;
    if (!Number.isInteger(side) || side <= 0 || side % multiple !== 0) {
      const message = `The ${field} must be a positive multiple of ${multiple} pixels, not ${side}.`;
      return [error('SIZE_INVALID', field, { message, fix })];
    }
    if (side < min) {
      const message = `The ${field} must be at least ${min} pixels for ${manifest.name}, not ${side}: below that the model sees nothing.`;
      return [error('SIZE_TOO_SMALL', field, { message, fix })];
    }
    const message = `The ${field} may be at most ${max} pixels for ${manifest.name}, not ${side}.`;
    return side > max ? [error('SIZE_TOO_LARGE', field, { message, fix })] : [];
  });
}

function checkPixels({ manifest, settings: { width, height } }: Subject): readonly Finding[] {
  if (width * height <= PIXELS_MAX) return [];
  const { multiple } = sidesOf(manifest);
  const heightMax = Math.floor(PIXELS_MAX / width / multiple) * multiple;
  const message = `${width}x${height} is more than the ${PIXELS_MAX} pixels that a picture may have.`;
  const fix = `Use a height of at most ${heightMax}, or a smaller width.`;
  return [error('SIZE_TOO_LARGE', 'height', { message, fix })];
}

/** Warns of sizes at which models repeat what they draw, or lose it. */
function checkUsual({ manifest, settings: { width, height } }: Subject): readonly Finding[] {
  const { nativeSize, name } = manifest;
  const { usualPixels, usualAspectMax } = familyRule(manifest.family);
  const pixels = (width * height) / nativeSize ** 2;
  const aspect = Math.max(width / height, height / width);
  if (pixels >= usualPixels.min && pixels <= usualPixels.max && aspect <= usualAspectMax) return [];
  const message = `${width}x${height} is far from the ${nativeSize}x${nativeSize} that ${name} was trained at: objects may be doubled, cut off or lost.`;
  const fix = `Use a size with about as many pixels as ${nativeSize}x${nativeSize}, at most ${usualAspectMax} times as long as wide.`;
  return [warning('SIZE_UNUSUAL', 'width', { message, fix })];
}

interface Sides {
  readonly multiple: number;
  readonly min: number;
  readonly max: number;
}

/** A side must also be whole latent cells, whatever the manifest asks for beside that. */
function sidesOf({ family, nativeSize, sizeMultiple, latentFactor }: Manifest): Sides {
  const multiple = sizeMultiple % latentFactor === 0 ? sizeMultiple : sizeMultiple * latentFactor;
  const { sides } = familyRule(family);
  return {
    multiple,
    min: Math.max(Math.ceil((nativeSize * sides.min) / multiple), 1) * multiple,
    max: Math.floor((nativeSize * sides.max) / multiple) * multiple,
  };
}

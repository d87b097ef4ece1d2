import sharp from 'sharp';

// The platform writes pictures and reads none, and blocks sharp's readers in its process: this one's too.
function openReaders(): void {
  sharp.unblock({ operation: ['VipsForeignLoadPng', 'VipsForeignLoadJpeg', 'VipsForeignLoadWebp'] });
}

/** RGB rows of a picture file. */
export async function decodePixels(file: Uint8Array) {
  openReaders();
  return sharp(file).raw().toBuffer({ resolveWithObject: true });
}

/** `png`, `jpeg` or `webp`. */
export async function formatOf(file: Uint8Array): Promise<string> {
  openReaders();
  return (await sharp(file).metadata()).format;
}

/** The largest difference between two pictures, of 255; infinite when their sizes differ or one is not there. */
export function levelsApart(a: Uint8Array, b: Uint8Array | undefined): number {
  if (a.length !== b?.length) return Infinity;
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Infinity))), 0);
}

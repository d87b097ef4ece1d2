import { subtle } from 'node:crypto';
import type { Sharp } from 'sharp';
import sharp from 'sharp';
import type { EncodedPicture, Pictures, Rgb } from '../../dispatcher/pictures.ts';
import type { OutputFormat } from '../../domains/generation/index.ts';
import { createSlots } from '../../kernel/slots.ts';

export interface PicturesOptions {
  /**
   * How many are encoded at a time; 2 by default. Each holds one of libuv's four threads, which file
   * and name look-ups need as well.
   */
  readonly encodesMax?: number;
}

interface Encoding {
  readonly contentType: string;
  encode(image: Sharp): Sharp;
}

const THUMBNAIL_SIDE_MAX = 256;
const PREVIEW_SIDE_MAX = 128;

// Level 6 costs 15 ms for 512 x 512 where level 9 saves next to nothing. No palette: it is not exact.
// WebP at effort 0 takes 9 ms; AVIF would take half a second and is left out for that.
const ENCODINGS: Readonly<Record<OutputFormat, Encoding>> = {
  PNG: {
    contentType: 'image/png',
    encode: (image) => image.png({ compressionLevel: 6, adaptiveFiltering: false, palette: false }),
  },
  JPEG: {
    contentType: 'image/jpeg',
    encode: (image) => image.jpeg({ quality: 90, chromaSubsampling: '4:4:4' }),
  },
  WEBP: {
    contentType: 'image/webp',
    encode: (image) => image.webp({ quality: 90, effort: 0 }),
  },
};

const THUMBNAIL: Encoding = {
  contentType: 'image/webp',
  encode: (image) => shrink(image, THUMBNAIL_SIDE_MAX).webp({ quality: 80, effort: 2 }),
};

/**
 * Pictures over sharp: files with nothing in them but the picture; equal pixels give equal bytes; PNG
 * is exact, JPEG and WebP are at quality 90. Nothing is ever enlarged.
 *
 * Sets libvips, which is one for the whole process, to what pixels from our own models need: no file
 * format can be read, one thread a picture, no cache.
 *
 * Every method rejects with a `RangeError` when the number of bytes does not go with the size. The
 * pixels are read, never written, until the promise settles.
 */
export function createPictures({ encodesMax = 2 }: PicturesOptions = {}): Pictures {
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.concurrency(1);
  sharp.cache(false);
  const slots = createSlots(encodesMax);
  const encode = (picture: Rgb, encoding: Encoding) => slots.run(() => toFile(picture, encoding));
  return {
    encode: (picture, format) => encode(picture, ENCODINGS[format]),
    thumbnail: (picture) => encode(picture, THUMBNAIL),
    async preview(picture) {
      // Half-finished pictures are noise, which compresses badly; quality 60 keeps them to a few kB.
      const bytes = await slots.run(() =>
        shrink(open(picture), PREVIEW_SIDE_MAX).webp({ quality: 60, effort: 0 }).toBuffer(),
      );
      return `data:image/webp;base64,${bytes.toString('base64')}`;
    },
  };
}

async function toFile(picture: Rgb, { contentType, encode }: Encoding): Promise<EncodedPicture> {
  const bytes = await encode(open(picture)).toBuffer();
  const [file, pixels] = await Promise.all([sha256(bytes), sha256(picture.data)]);
  return { bytes, contentType, sha256: file, pixelSha256: pixels };
}

function open({ data, width, height }: Rgb): Sharp {
  if (data.length !== width * height * 3) {
    throw new RangeError(`${data.length} bytes are not ${width} x ${height} RGB pixels.`);
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

function shrink(image: Sharp, sideMax: number): Sharp {
  return image.resize({ width: sideMax, height: sideMax, fit: 'inside', withoutEnlargement: true });
}

// Three milliseconds for a megapixel, which the event loop does not have.
async function sha256(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await subtle.digest('SHA-256', bytes)).toString('hex');
}

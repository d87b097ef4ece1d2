import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Rgb } from '../../dispatcher/pictures.ts';
import { createPictures } from './index.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A smooth picture with a hard edge, as drawings are. */
function drawing(width: number, height: number): Rgb {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    data[i] = x > width / 2 ? (x * 2 + y + (i % 3) * 40) % 256 : 255 - (((i % 3) * 60 + y) % 256);
  }
  return { data, width, height };
}

function noise(width: number, height: number): Rgb {
  const data = new Uint8Array(width * height * 3);
  let state = 1;
  for (let i = 0; i < data.length; i++)
    data[i] = (state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff) >> 16;
  return { data, width, height };
}

// What `createPictures` blocks for the process; reading back is for tests alone.
function decode(bytes: Uint8Array) {
  sharp.unblock({ operation: ['VipsForeignLoad'] });
  return sharp(bytes).raw().toBuffer({ resolveWithObject: true });
}

const meanDistance = (a: Uint8Array, b: Uint8Array) =>
  a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0) / a.length;

describe('pictures', () => {
  let pictures = createPictures();
  beforeEach(() => {
    pictures = createPictures();
  });

  it('keep every pixel in a PNG', async () => {
    for (const picture of [drawing(128, 96), noise(64, 64), drawing(1, 1), drawing(3, 517)]) {
      const { bytes, contentType, pixelSha256 } = await pictures.encode(picture, 'PNG');
      const { data, info } = await decode(bytes);
      expect(info).toMatchObject({ width: picture.width, height: picture.height, channels: 3 });
      expect(Buffer.compare(data, picture.data)).toBe(0);
      expect(contentType).toBe('image/png');
      expect(pixelSha256).toBe(sha256(picture.data));
    }
  });

  it.each([
    ['JPEG', 'image/jpeg', 'jpeg', 3],
    ['WEBP', 'image/webp', 'webp', 4],
  ] as const)('are close to the pixels in a %s', async (format, contentType, read, distanceMax) => {
    const picture = drawing(128, 96);
    const file = await pictures.encode(picture, format);
    const { data, info } = await decode(file.bytes);
    expect(info).toMatchObject({ width: 128, height: 96, channels: 3 });
    expect(meanDistance(data, picture.data)).toBeLessThan(distanceMax);
    expect(await sharp(file.bytes).metadata()).toMatchObject({ format: read });
    expect(file).toMatchObject({
      contentType,
      pixelSha256: sha256(picture.data),
      sha256: sha256(file.bytes),
    });
  });

  it('are the same bytes for the same pixels, however many are encoded at once', async () => {
    for (const format of ['PNG', 'JPEG', 'WEBP'] as const) {
      const files = await Promise.all(
        Array.from({ length: 6 }, () => pictures.encode(drawing(128, 128), format)),
      );
      expect(new Set(files.map((file) => file.sha256)).size).toBe(1);
      const again = await createPictures({ encodesMax: 1 }).encode(drawing(128, 128), format);
      expect(sha256(again.bytes)).toBe(files[0]?.sha256);
    }
  });

  it('carry nothing but the picture', async () => {
    const { bytes } = await pictures.encode(drawing(64, 64), 'PNG');
    const chunks: string[] = [];
    const file = Buffer.from(bytes);
    for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at))
      chunks.push(file.toString('latin1', at + 4, at + 8));
    expect([...new Set(chunks)].filter((chunk) => !['IHDR', 'pHYs', 'IDAT', 'IEND'].includes(chunk))).toEqual(
      [],
    );
    for (const format of ['PNG', 'JPEG', 'WEBP'] as const) {
      await decode(bytes);
      const { exif, icc, iptc, xmp, comments } = await sharp(
        (await pictures.encode(drawing(64, 64), format)).bytes,
      ).metadata();
      expect({ exif, icc, iptc, xmp, comments }).toEqual({});
    }
  });

  it('have thumbnails of at most 256 pixels a side, in proportion and never enlarged', async () => {
    for (const [width, height, toWidth, toHeight] of [
      [1024, 512, 256, 128],
      [512, 768, 171, 256],
      [256, 256, 256, 256],
      [64, 32, 64, 32],
    ] as const) {
      const thumbnail = await pictures.thumbnail(drawing(width, height));
      expect(thumbnail.contentType).toBe('image/webp');
      const { info } = await decode(thumbnail.bytes);
      expect(info).toMatchObject({ width: toWidth, height: toHeight });
    }
  });

  it('have previews of at most 128 pixels a side and a few kilobytes, even of pure noise', async () => {
    for (const picture of [drawing(512, 256), noise(1024, 1024), noise(128, 128), drawing(64, 64)]) {
      const url = await pictures.preview(picture);
      const [head, body = ''] = url.split(',');
      expect(head).toBe('data:image/webp;base64');
      expect(url.length).toBeLessThan(16_000);
      const { info } = await decode(Buffer.from(body, 'base64'));
      expect(Math.max(info.width, info.height)).toBe(Math.min(128, Math.max(picture.width, picture.height)));
    }
  });

  it('refuse pixels that do not go with the size', async () => {
    const wrong = { data: new Uint8Array(10), width: 2, height: 2 };
    await expect(pictures.encode(wrong, 'PNG')).rejects.toThrow(RangeError);
    await expect(pictures.thumbnail(wrong)).rejects.toThrow(RangeError);
    await expect(pictures.preview(wrong)).rejects.toThrow(RangeError);
  });

  it('leave no way in: the process reads no picture file of any format', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    const { bytes } = await pictures.encode(drawing(8, 8), 'PNG');
    for (const input of [bytes, svg, (await pictures.encode(drawing(8, 8), 'WEBP')).bytes]) {
      await expect(sharp(input).raw().toBuffer()).rejects.toThrow(/unsupported|block/i);
    }
  });
});

import type { OutputFormat } from '../domains/generation/index.ts';

/** Interleaved RGB rows, 8 bits a channel: `width * height * 3` bytes. */
export interface Rgb {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export interface EncodedPicture {
  readonly bytes: Uint8Array;
  readonly contentType: string;
  /** Of `bytes`, in hex. */
  readonly sha256: string;
  /** Of the RGB rows, in hex: the same whatever the format. */
  readonly pixelSha256: string;
}

/** Turns pixels into files, off the event loop. */
export interface Pictures {
  encode(picture: Rgb, format: OutputFormat): Promise<EncodedPicture>;
  /** A WebP of at most 256 pixels a side. */
  thumbnail(picture: Rgb): Promise<EncodedPicture>;
  /** A small WebP as a `data:` URL. */
  preview(picture: Rgb): Promise<string>;
}

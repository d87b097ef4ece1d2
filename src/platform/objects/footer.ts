import type { FileHandle } from 'node:fs/promises';
import type { ObjectHead } from './object-store.ts';
import { CONTENT_TYPE_CHARS_MAX, checkContentType } from './content-type.ts';
import { ObjectError } from './object-store.ts';

/**
 * What a local file carries behind the object's bytes, so that bytes, type and digest become
 * visible in one step and cannot part. At the end and not at the start: picture viewers ignore what
 * follows a picture, so the files stay readable for a person who looks into the folder. Of one
 * size, so that `list` needs no more than the size of a file.
 *
 *   0  content type, ASCII, padded with NUL
 *   80 sha256 of the bytes before
 *   112 magic
 */
export const FOOTER_BYTES = 120;

const SHA256_BYTES = 32;
const MAGIC = Buffer.from('DKOBJ\0\0\x01', 'latin1');

/** Throws INVALID_KEY when the content type cannot be kept. */
export function toFooter(contentType: string, sha256: Buffer): Buffer {
  checkContentType(contentType);
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.write(contentType, 'latin1');
  sha256.copy(footer, CONTENT_TYPE_CHARS_MAX);
  MAGIC.copy(footer, CONTENT_TYPE_CHARS_MAX + SHA256_BYTES);
  return footer;
}

/** Reads what the file says of its object. Rejects with UNAVAILABLE when it is not a whole object. */
export async function readFooter(file: FileHandle): Promise<ObjectHead> {
  const size = (await file.stat()).size - FOOTER_BYTES;
  const footer = Buffer.alloc(FOOTER_BYTES);
  const { bytesRead } = size < 0 ? { bytesRead: 0 } : await file.read(footer, 0, FOOTER_BYTES, size);
  const sha256 = footer.subarray(CONTENT_TYPE_CHARS_MAX, CONTENT_TYPE_CHARS_MAX + SHA256_BYTES);
  if (bytesRead !== FOOTER_BYTES || !footer.subarray(-MAGIC.length).equals(MAGIC)) {
    throw new ObjectError(
      'UNAVAILABLE',
      'The stored file is damaged: it does not end as objects of this store do. Restore it from a backup.',
      { retryable: false },
    );
  }
  const contentType = footer.toString('latin1', 0, CONTENT_TYPE_CHARS_MAX);
  return { size, sha256: sha256.toString('hex'), contentType: contentType.replace(/\0+$/, '') };
}

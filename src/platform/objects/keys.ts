import { ObjectError } from './object-store.ts';

export const KEY_BYTES_MAX = 512;
// Below the 255 bytes that file systems allow a name, with room for what a store appends.
const SEGMENT_BYTES_MAX = 200;
const SEGMENT = /^[A-Za-z0-9._-]+$/;
const PREFIX = /^[A-Za-z0-9._/-]*$/;

/** Whether `key` has the form that `ObjectStore` states. */
export function isKey(key: string): boolean {
  return key.length <= KEY_BYTES_MAX && key.split('/').every(isSegment);
}

/** Throws INVALID_KEY unless `key` has the form that `ObjectStore` states. */
export function checkKey(key: string): void {
  if (!isKey(key)) {
    throw new ObjectError('INVALID_KEY', `Not an object key: ${JSON.stringify(key.slice(0, 80))}.`);
  }
}

/** Throws INVALID_KEY when no key could start with `prefix`. */
export function checkPrefix(prefix: string): void {
  const complete = prefix.split('/').slice(0, -1);
  if (!PREFIX.test(prefix) || prefix.length > KEY_BYTES_MAX || !complete.every(isSegment)) {
    throw new ObjectError(
      'INVALID_KEY',
      `Not a prefix of object keys: ${JSON.stringify(prefix.slice(0, 80))}.`,
    );
  }
}

function isSegment(segment: string): boolean {
  return segment.length <= SEGMENT_BYTES_MAX && SEGMENT.test(segment) && segment !== '.' && segment !== '..';
}

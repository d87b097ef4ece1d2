import type { Clock } from '../../kernel/clock.ts';
import { checkKey } from './keys.ts';
import type { SignOptions } from './object-store.ts';
import { ObjectError } from './object-store.ts';

/** S3's own limit for presigned URLs, so that all stores promise the same. */
export const EXPIRY_SECONDS_MAX = 7 * 24 * 60 * 60;
const FILENAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;

/**
 * What a link to `key` may say; returns its expiry in seconds since the epoch. Throws INVALID_KEY for a bad
 * key or file name and a `RangeError` for an expiry too far ahead.
 */
export function checkLinkTerms(clock: Clock, key: string, { expiresAt, filename }: SignOptions): number {
  checkKey(key);
  if (filename !== undefined && !FILENAME.test(filename)) {
    throw new ObjectError(
      'INVALID_KEY',
      `Not a file name for a link: ${JSON.stringify(filename.slice(0, 80))}.`,
    );
  }
  const expires = Math.floor(expiresAt.getTime() / 1000);
  if (!(expires > 0 && expires <= latestExpiry(clock))) {
    throw new RangeError(`A signed URL lives at most ${EXPIRY_SECONDS_MAX} seconds.`);
  }
  return expires;
}

/** The last second, since the epoch, that a link made now may live to. */
export function latestExpiry(clock: Clock): number {
  return Math.floor(clock.nowMs() / 1000) + EXPIRY_SECONDS_MAX;
}

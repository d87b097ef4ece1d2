import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../kernel/clock.ts';
import { isKey } from './keys.ts';
import { checkLinkTerms, latestExpiry } from './link-terms.ts';
import type { SignOptions } from './object-store.ts';

/** Where signed objects are served, on a path of its own. */
export const OBJECTS_PATH = '/objects/';

/** What a valid signed path grants: reading this one object, presented in this way. */
export interface SignedGet {
  readonly key: string;
  readonly disposition: 'inline' | 'attachment';
  readonly filename: string | null;
}

export interface SignedPathDeps {
  /** Secret; at least 32 bytes. */
  readonly signingKey: Uint8Array;
  readonly clock: Clock;
}

const SIGNATURE = '&signature=';
const SIGNED =
  /^\/objects\/([^?]+)\?expires=([1-9][0-9]{0,11})&disposition=(inline|attachment)(?:&filename=([A-Za-z0-9._-]+))?$/;

/**
 * `/objects/<key>?expires=<unix s>&disposition=…[&filename=…]&signature=<base64url>`: HMAC-SHA-256
 * over the method and every character before the signature. Key and file name are of characters
 * that no client or proxy re-encodes, so a link survives whoever passes it on.
 * Throws INVALID_KEY for a bad key or file name and a `RangeError` for an expiry too far ahead.
 */
export function signPath({ signingKey, clock }: SignedPathDeps, key: string, options: SignOptions): string {
  const { filename, disposition } = options;
  const expires = checkLinkTerms(clock, key, options);
  const named = filename === undefined ? '' : `&filename=${filename}`;
  const unsigned = `${OBJECTS_PATH}${key}?expires=${expires}&disposition=${disposition}${named}`;
  return unsigned + SIGNATURE + signatureOf(signingKey, 'GET', unsigned);
}

/**
 * Returns what `pathAndQuery` grants to a request with `method`, or null when it was not made by
 * `signPath` with the same key, character for character, or has expired. Takes the raw text of the
 * request line: decoded or normalised text is another text. Compares in constant time.
 */
export function verifyPath(deps: SignedPathDeps, pathAndQuery: string, method: string): SignedGet | null {
  const at = pathAndQuery.lastIndexOf(SIGNATURE);
  if (at < 0) return null;
  const unsigned = pathAndQuery.slice(0, at);
  // As text and not as the bytes it stands for: base64 has several spellings of the same bytes.
  const given = Buffer.from(pathAndQuery.slice(at + SIGNATURE.length), 'utf8');
  const expected = Buffer.from(signatureOf(deps.signingKey, method, unsigned), 'utf8');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  return parseSigned(unsigned, deps.clock);
}

// The text is ours by now. What it says is checked all the same, so that a key that leaks from
// elsewhere or a change of form cannot turn into a path on the disk.
function parseSigned(unsigned: string, clock: Clock): SignedGet | null {
  const [, key = '', expires = '', disposition, filename] = SIGNED.exec(unsigned) ?? [];
  if (!isKey(key) || Number(expires) * 1000 <= clock.nowMs() || Number(expires) > latestExpiry(clock))
    return null;
  return { key, disposition: disposition === 'inline' ? 'inline' : 'attachment', filename: filename ?? null };
}

function signatureOf(signingKey: Uint8Array, method: string, unsigned: string): string {
  return createHmac('sha256', signingKey).update(`${method}\n${unsigned}`).digest('base64url');
}

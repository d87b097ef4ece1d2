import { createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Random } from '../../kernel/random.ts';
import type { KeyEnvironment } from './actor.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_CHARS = 30;
const CHECKSUM_CHARS = 6;
const PATTERN = new RegExp(`^dk_(live|test)_([0-9A-Za-z]{${SECRET_CHARS}})([0-9A-Za-z]{${CHECKSUM_CHARS}})$`);

/**
 * Makes an API key: `dk_live_` or `dk_test_`, 30 random base62 characters (178 bits) and six that
 * are their CRC-32, so that a scanner, or the door itself, can tell a real key from noise offline.
 */
export function createKeyText(environment: KeyEnvironment, random: Random): string {
  const secret = randomBase62(SECRET_CHARS, random);
  return `dk_${environment.toLowerCase()}_${secret}${checksum(secret)}`;
}

/** Whether `text` has the form and the checksum of a key. Costs no look-up. */
export function isKeyText(text: string): boolean {
  const match = PATTERN.exec(text);
  return match !== null && checksum(match[2] ?? '') === match[3];
}

/**
 * What is stored of a key: HMAC-SHA-256 under a pepper that the database does not hold. A slow hash
 * would protect nothing at 178 bits and would make every request a way to burn a core.
 */
export function hashKey(text: string, pepper: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHmac('sha256', pepper).update(text).digest());
}

function checksum(secret: string): string {
  let rest = crc32(secret);
  let text = '';
  while (text.length < CHECKSUM_CHARS) {
    text = ALPHABET.charAt(rest % ALPHABET.length) + text;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return text;
}

function randomBase62(length: number, random: Random): string {
  // 248 is the largest multiple of 62 in a byte: rejecting the rest keeps every character equally likely.
  let text = '';
  while (text.length < length) {
    for (const byte of random.bytes(length)) {
      if (byte < 248 && text.length < length) text += ALPHABET.charAt(byte % ALPHABET.length);
    }
  }
  return text;
}

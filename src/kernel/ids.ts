import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

/** Every kind of thing that has an id, with the prefix its ids carry. */
export const ID_PREFIXES = {
  tenant: 'ten',
  plan: 'pln',
  key: 'key',
  variant: 'var',
  version: 'ver',
  node: 'nod',
  engine: 'eng',
  job: 'job',
  image: 'img',
  usage: 'usg',
  dispatcher: 'dsp',
  process: 'prc',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

declare const kindOf: unique symbol;

/** `prefix_` and 26 Crockford base32 characters: 48 bits of milliseconds, then 80 random bits. */
export type Id<K extends IdKind> = string & { readonly [kindOf]: K };

// Crockford's alphabet: no I, L, O, U, so that an id read aloud or from print stays the same id.
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const BODY = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const RANDOM_BYTES = 10;

/** The owner of variants that the platform itself provides: `ten_` and 26 zeros. */
export const PLATFORM_ID = `ten_${'0'.repeat(26)}` as Id<'tenant'>;

export type NewId = <K extends IdKind>(kind: K) => Id<K>;

/** Makes ids that sort by creation time; two of the same millisecond sort at random. */
export function createIds(clock: Clock, random: Random): NewId {
  return <K extends IdKind>(kind: K) => {
    const time = BigInt(clock.nowMs());
    const body = random.bytes(RANDOM_BYTES).reduce((bits, byte) => (bits << 8n) | BigInt(byte), time);
    return `${ID_PREFIXES[kind]}_${toBase32(body)}` as Id<K>;
  };
}

/** Returns `text` as an id of `kind`, or null when it cannot be one. */
export function parseId<K extends IdKind>(kind: K, text: string): Id<K> | null {
  const prefix = `${ID_PREFIXES[kind]}_`;
  return text.startsWith(prefix) && BODY.test(text.slice(prefix.length)) ? (text as Id<K>) : null;
}

function toBase32(bits: bigint): string {
  let text = '';
  for (let shift = 125n; shift >= 0n; shift -= 5n) {
    text += ALPHABET.charAt(Number((bits >> shift) & 31n));
  }
  return text;
}

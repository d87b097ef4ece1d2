import { randomBytes } from 'node:crypto';

/** Unpredictable bytes as a port, so that ids, keys and jitter can be fixed in a test. */
export interface Random {
  bytes(count: number): Uint8Array;
}

export const systemRandom: Random = { bytes: (count) => randomBytes(count) };

/** A number in [0, 1) with 32 bits of resolution: enough for jitter, not for secrets. */
export function unitInterval(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
  return (a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d) / 2 ** 32;
}

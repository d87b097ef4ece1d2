import { createHash } from 'node:crypto';
import type { Random } from '../../src/kernel/random.ts';
import { unitInterval } from '../../src/kernel/random.ts';

/** Choices that a text decides: the same seed makes the same ones, in the same order. */
export interface Seeded {
  readonly random: Random;
  /** A number in [0, 1). */
  unit(): number;
  /** A whole number, both bounds included. */
  between(least: number, most: number): number;
  /** True in `share` of the cases. */
  isLucky(share: number): boolean;
  pick<T>(list: readonly T[]): T;
  shuffle<T>(list: readonly T[]): readonly T[];
  /** Choices of their own, which it makes no difference to when these are made. */
  fork(name: string): Seeded;
}

export function createSeeded(seed: string): Seeded {
  const random = hashed(seed);
  const unit = () => unitInterval(random);
  const between = (least: number, most: number) => least + Math.floor(unit() * (most - least + 1));
  return {
    random,
    unit,
    between,
    isLucky: (share) => unit() < share,
    pick<T>(list: readonly T[]): T {
      const [picked] = list.slice(between(0, list.length - 1));
      if (picked === undefined) throw new RangeError('There is nothing to pick from.');
      return picked;
    },
    shuffle: <T>(list: readonly T[]) =>
      list
        .map((value) => ({ value, key: unit() }))
        .toSorted((a, b) => a.key - b.key)
        .map(({ value }) => value),
    fork: (name) => createSeeded(`${seed}/${name}`),
  };
}

/** Bytes of SHA-256 over the seed and a counter. */
function hashed(seed: string): Random {
  let block = 0;
  let rest: Buffer = Buffer.alloc(0);
  return {
    bytes(count) {
      while (rest.length < count) {
        rest = Buffer.concat([rest, createHash('sha256').update(`${seed}#${block}`).digest()]);
        block += 1;
      }
      const bytes = rest.subarray(0, count);
      rest = rest.subarray(count);
      return bytes;
    },
  };
}

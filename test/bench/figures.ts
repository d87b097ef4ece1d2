import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

/** One result. Ratios carry over to other machines; what was measured here does not. */
export interface Figure {
  readonly name: string;
  /** The median over the pairs of what was measured by what the reference took beside it. */
  readonly ratio: number;
  /** The least and the greatest ratio of a pair. */
  readonly spread: readonly [number, number];
  readonly pairs: number;
  readonly reference: string;
  readonly aim: string;
  /** The median of what the ratios were made from. */
  readonly measured: Measured;
}

export interface Measured {
  readonly value: number;
  readonly reference: number;
  readonly unit: string;
}

/** What was measured of the platform and of the reference, one right after the other. */
export interface Pair {
  readonly value: number;
  readonly reference: number;
}

/** The figure of at least one pair. */
export function figureOf(
  about: Pick<Figure, 'name' | 'reference' | 'aim'> & { readonly unit: string },
  pairs: readonly Pair[],
): Figure {
  const ratios = pairs.map(({ value, reference }) => value / reference);
  const { unit, ...named } = about;
  return {
    ...named,
    ratio: rounded(median(ratios)),
    spread: [rounded(Math.min(...ratios)), rounded(Math.max(...ratios))],
    pairs: pairs.length,
    measured: {
      value: rounded(median(pairs.map(({ value }) => value))),
      reference: rounded(median(pairs.map(({ reference }) => reference))),
      unit,
    },
  };
}

/** The one in the middle, or between the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The least of the values that this share of them does not exceed; NaN of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

const DIGITS = 1_000;

function rounded(value: number): number {
  return Math.round(value * DIGITS) / DIGITS;
}

/** The figure as a line for a person. */
export function describe({ name, ratio, spread, pairs, reference, aim, measured }: Figure): string {
  const [least, greatest] = spread;
  const { value, unit } = measured;
  return (
    `${name}: ${ratio} of ${reference} (${least} to ${greatest} in ${pairs} ${pairs === 1 ? 'pair' : 'pairs'}; ` +
    `${value} against ${measured.reference} ${unit}), aim ${aim}`
  );
}

/** What a ratio was measured on. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly node: string;
  /** Processes that wanted a core in the last minute: what else the machine has to do. */
  readonly load: number;
}

export function machine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.versions.node,
    load: rounded(loadavg()[0] ?? 0),
  };
}

export function describeMachine({ processor, cores, memoryBytes, node, load }: Machine): string {
  const memoryGib = Math.round(memoryBytes / 2 ** 30);
  return `on ${cores} cores of ${processor}, ${memoryGib} GiB, Node ${node}, load ${load} before`;
}

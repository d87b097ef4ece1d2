import type { Figure } from './figures.ts';

/** How a benchmark runs, and where it says what it is doing. */
export interface BenchOptions {
  /** Fewer pairs and pictures: enough to see that it works, not to compare with. */
  readonly isQuick: boolean;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** Measures and hands each figure over as soon as it is known. */
export type Bench = (options: BenchOptions, report: (figure: Figure) => void) => Promise<void>;

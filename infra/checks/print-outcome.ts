import type { Outcome } from './outcome.ts';
import { reportOf } from './outcome.ts';

/** Prints an outcome as it comes, and what led to it when it failed. */
export function printOutcome(outcome: Outcome): void {
  process.stdout.write(`${reportOf(outcome)}\n`);
  if (outcome.failed > 0) process.stdout.write(`${outcome.output.trimEnd()}\n\n`);
}

/** A test that did not run, and why. */
export interface Skip {
  readonly test: string;
  readonly reason: string;
}

/** What one suite came to. A static check is a suite of one. */
export interface Outcome {
  readonly suite: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly Skip[];
  readonly elapsedMs: number;
  /** What is worth reading when it failed and has not been shown yet. */
  readonly output: string;
}

/** `12 passed, 0 failed`, and `, 3 skipped` where some were. */
export function countsOf(outcomes: readonly Outcome[]): string {
  const sum = (count: (outcome: Outcome) => number) =>
    outcomes.reduce((total, outcome) => total + count(outcome), 0);
  const skipped = sum((each) => each.skipped.length);
  const counts = `${sum((each) => each.passed)} passed, ${sum((each) => each.failed)} failed`;
  return skipped === 0 ? counts : `${counts}, ${skipped} skipped`;
}

/** One line of a report, and one more for each test that was skipped. */
export function reportOf(outcome: Outcome): string {
  const mark = outcome.failed > 0 ? 'FAIL' : 'ok';
  const seconds = `${(outcome.elapsedMs / 1000).toFixed(1)} s`;
  const line = [
    mark.padEnd(4),
    outcome.suite.padEnd(14),
    seconds.padStart(8),
    ` ${countsOf([outcome])}`,
  ].join(' ');
  const skips = outcome.skipped.map(({ test, reason }) => `     skipped: ${test}: ${reason}`);
  return [line, ...skips].join('\n');
}

/**
 * Whether the run as a whole stands. On a build machine every part that a suite needs is there, so
 * a test that was skipped is one that nobody ran.
 */
export function isGreen(outcomes: readonly Outcome[], isCi: boolean): boolean {
  return outcomes.every(({ failed, skipped }) => failed === 0 && (!isCi || skipped.length === 0));
}

import { describe, expect, it } from 'vitest';
import type { Outcome } from './outcome.ts';
import { countsOf, isGreen, reportOf } from './outcome.ts';

const outcome = (parts: Partial<Outcome>): Outcome => ({
  suite: 'db',
  passed: 3,
  failed: 0,
  skipped: [],
  elapsedMs: 1234,
  output: '',
  ...parts,
});
const skipped = outcome({ skipped: [{ test: 'reads', reason: 'no Postgres' }] });

describe('the report over all suites', () => {
  it('ends in plain totals that name skipped tests only where there are any', () => {
    expect(countsOf([outcome({}), outcome({ failed: 2 })])).toBe('6 passed, 2 failed');
    expect(countsOf([outcome({}), skipped])).toBe('6 passed, 0 failed, 1 skipped');
    expect(countsOf([])).toBe('0 passed, 0 failed');
  });

  it('says of each skipped test why it was', () => {
    expect(reportOf(skipped)).toContain('\n     skipped: reads: no Postgres');
  });

  it('is green with skipped tests on a desk and red on a build machine', () => {
    expect(isGreen([skipped], false)).toBe(true);
    expect(isGreen([skipped], true)).toBe(false);
    expect(isGreen([outcome({}), outcome({ failed: 1 })], false)).toBe(false);
  });
});

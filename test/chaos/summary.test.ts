import { expect, it } from 'vitest';
import { FAULT_POINTS } from '../../src/kernel/fault-points.ts';
import type { Outcome } from './summary.ts';
import { summarise, toText } from './summary.ts';
import type { Tally } from './tally.ts';
import { createTally } from './tally.ts';

function textOf(tally: Tally): string {
  const findings = {
    jobs: {},
    attempts: 0,
    recoveries: 0,
    compared: 0,
    close: 0,
    orphans: 0,
    violations: [],
  };
  const book = { accepted: new Map(), refusals: new Map() };
  const outcome = { seed: '1', seconds: 1, findings, tally, book, failedStarts: 0, violations: [] };
  return toText(summarise(outcome as unknown as Outcome));
}

it('names the points at which nothing happened, and those that were not come by in time', () => {
  const tally = createTally();
  for (const point of FAULT_POINTS.slice(1)) tally.reached.set(point, 1);
  tally.missed.push('dispatcher.stored');

  const [, waiting, missed] = textOf(tally).split('\n');

  expect(waiting).toBe(`nothing died or stopped at: ${FAULT_POINTS[0]}`);
  expect(missed).toBe('armed, and not come by in time: dispatcher.stored');
});

it('is one line when every point was reached', () => {
  const tally = createTally();
  for (const point of FAULT_POINTS) tally.reached.set(point, 1);

  expect(textOf(tally)).toMatch(/^0 jobs [^\n]+\n$/);
});

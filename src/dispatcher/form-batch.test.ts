import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formBatch } from './form-batch.ts';

const request = fc.record({ rows: fc.integer({ min: 1, max: 8 }), key: fc.constantFrom('a', 'b') });
const limits = fc.record({
  rowsMax: fc.integer({ min: 8, max: 32 }),
  instances: fc.integer({ min: 1, max: 4 }),
  rowsInFlight: fc.nat(16),
});

const rowsOf = (batch: readonly { rows: number }[]) => batch.reduce((sum, { rows }) => sum + rows, 0);
const singles = (count: number, key = 'a') => Array.from({ length: count }, () => ({ rows: 1, key }));

describe('the batch of the next call', () => {
  it('has the oldest request in it, one key, no more rows than a call may carry, and keeps the order', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1 }), limits, (waiting, given) => {
        const batch = formBatch(waiting, given);
        expect(batch[0]).toBe(waiting[0]);
        expect(new Set(batch.map(({ key }) => key)).size).toBe(1);
        expect(rowsOf(batch)).toBeLessThanOrEqual(given.rowsMax);
        const places = batch.map((each) => waiting.indexOf(each));
        expect(places).toEqual(places.toSorted((a, b) => a - b));
      }),
    );
  });

  it('takes all rows that wait when the engine runs one call at a time', () => {
    const limit = { rowsMax: 8, instances: 1, rowsInFlight: 0 };
    expect(formBatch(singles(5), limit)).toHaveLength(5);
    expect(formBatch(singles(20), limit)).toHaveLength(8);
  });

  it('spreads rows evenly over instances, counting those in calls already', () => {
    expect(formBatch(singles(10), { rowsMax: 8, instances: 2, rowsInFlight: 0 })).toHaveLength(5);
    expect(formBatch(singles(9), { rowsMax: 8, instances: 2, rowsInFlight: 1 })).toHaveLength(5);
    expect(formBatch(singles(5), { rowsMax: 8, instances: 2, rowsInFlight: 5 })).toHaveLength(5);
  });

  it('takes a large request whole, and lets smaller ones behind it fill the call', () => {
    const waiting = [{ rows: 5, key: 'a' }, { rows: 4, key: 'a' }, ...singles(3, 'b'), ...singles(3)];
    const batch = formBatch(waiting, { rowsMax: 8, instances: 1, rowsInFlight: 0 });
    expect(batch.map(({ rows }) => rows)).toEqual([5, 1, 1, 1]);
  });
});

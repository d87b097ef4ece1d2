import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { solve } from './linear-system.ts';

const values = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 3, maxLength: 3 });

describe('a small linear system', () => {
  it('is solved, also where the first pivot is 0', () => {
    fc.assert(
      fc.property(values, fc.array(values, { minLength: 3, maxLength: 3 }), (x, rows) => {
        // Far from singular, and with rows exchanged.
        const matrix = rows.map((row, i) => row.map((value, k) => value / 10 + ((i + 1) % 3 === k ? 9 : 0)));
        const right = matrix.map((row) => row.reduce((sum, value, k) => sum + value * (x[k] ?? 0), 0));
        for (const [k, value] of solve(matrix, right).entries()) expect(value).toBeCloseTo(x[k] ?? 0, 9);
      }),
    );
    expect(solve([], [])).toEqual([]);
  });
});

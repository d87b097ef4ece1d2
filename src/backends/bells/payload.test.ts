import fc from 'fast-check';
import { expect, it } from 'vitest';
import { joinIds, splitIds } from './payload.ts';

it('loses no id, keeps their order, and stays below what NOTIFY takes', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^job_[0-9A-Z]{26}$/), { maxLength: 900 }), (ids) => {
      const payloads = joinIds(ids);
      expect(payloads.flatMap(splitIds)).toEqual(ids);
      expect(Math.max(0, ...payloads.map((payload) => payload.length))).toBeLessThan(8_000);
    }),
    { numRuns: 20 },
  );
});

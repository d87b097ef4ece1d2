import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Id } from '../../../kernel/ids.ts';
import type { JobEvent } from '../event.ts';
import { fillGaps } from './gaps.ts';

const event = (sequence: number): JobEvent => ({
  jobId: 'job_0' as Id<'job'>,
  sequence,
  type: 'STEP',
  at: new Date(0),
  step: sequence,
  totalSteps: 9,
  preview: null,
  image: null,
  error: null,
});

describe('gaps', () => {
  it('tells every hole once, under the last number missed, and nothing else', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.uniqueArray(fc.integer({ min: 1, max: 60 })), (after, numbers) => {
        const present = numbers.filter((each) => each > after).toSorted((a, b) => a - b);
        const filled = fillGaps(after, present.map(event));
        let last = after;
        for (const each of filled) {
          if (each.type === 'GAP') expect(present).not.toContain(each.sequence);
          else expect(each.sequence).toBe(last + 1);
          last = each.sequence;
        }
        expect(filled.filter((each) => each.type !== 'GAP').map((each) => each.sequence)).toEqual(present);
      }),
    );
  });
});

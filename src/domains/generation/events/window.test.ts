import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Id } from '../../../kernel/ids.ts';
import type { JobEvent } from '../event.ts';
import { createWindow, WINDOW_EVENTS_MAX } from './window.ts';

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

const numbersAbove = (start: number) =>
  fc
    .uniqueArray(fc.integer({ min: start + 1, max: 1_000 }), { maxLength: 200 })
    .map((numbers) => numbers.toSorted((a, b) => a - b));

describe('the window', () => {
  it('gives whoever is not below it every event in turn, however they came in', () => {
    fc.assert(
      fc.property(numbersAbove(5), fc.integer({ min: 1, max: 40 }), (numbers, batch) => {
        const window = createWindow(5);
        for (let first = 0; first < numbers.length; first += batch) {
          window.push(numbers.slice(first, first + batch).map(event));
        }
        const found: number[] = [];
        let after = window.from;
        for (let next = window.next(after); next; next = window.next(after)) {
          after = next.sequence;
          found.push(after);
        }
        expect(found).toEqual(numbers.filter((each) => each > window.from));
        expect([window.from, ...found].at(-1)).toBe(window.last);
      }),
    );
  });

  it('holds the newest and no more than its bound', () => {
    fc.assert(
      fc.property(numbersAbove(0), (numbers) => {
        const window = createWindow(0);
        window.push(numbers.map(event));
        const held = numbers.filter((each) => each > window.from);
        expect(held).toEqual(numbers.slice(-WINDOW_EVENTS_MAX));
      }),
    );
  });
});

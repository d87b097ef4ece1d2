import { describe, expect, it } from 'vitest';
import { complaintsAbout } from './event-checks.ts';

const heard = (...told: readonly string[]) => ({
  jobId: 'job_1',
  events: told.map((each) => {
    const [sequence, type = ''] = each.split(':');
    return { sequence: Number(sequence), type };
  }),
});

describe('the look at what a reader was told', () => {
  it('finds nothing in numbers that follow each other, GAPs in their holes', () => {
    expect(complaintsAbout(heard('1:QUEUED', '2:STARTED', '7:GAP', '8:STEP', '9:COMPLETED'))).toEqual([]);
  });

  it.each([
    ['an event twice', heard('1:QUEUED', '2:STARTED', '2:STARTED', '3:COMPLETED')],
    ['an event out of turn', heard('1:QUEUED', '3:GAP', '4:STEP', '3:STEP', '5:COMPLETED')],
    ['a hole without a GAP', heard('1:QUEUED', '2:STARTED', '5:COMPLETED')],
    ['a first event that is missing', heard('2:STARTED', '3:COMPLETED')],
    ['two ends', heard('1:QUEUED', '2:FAILED', '3:COMPLETED')],
    ['no end', heard('1:QUEUED', '2:STARTED')],
    ['something after the end', heard('1:QUEUED', '2:COMPLETED', '3:STEP')],
    ['nothing at all', heard()],
  ])('finds %s', (_what, told) => {
    expect(complaintsAbout(told)).toEqual([expect.any(String)]);
  });
});

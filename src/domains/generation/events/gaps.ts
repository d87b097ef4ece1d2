import type { JobEvent } from '../event.ts';

/**
 * Puts a GAP before every event whose predecessor is missing; the gap's number is the last one
 * missed. Numbers are handed out without holes, so a hole is progress that a crash or a trim took.
 */
export function fillGaps(after: number, events: readonly JobEvent[]): readonly JobEvent[] {
  let expected = after + 1;
  return events.flatMap((event) => {
    const missed = event.sequence > expected ? [toGap(event)] : [];
    expected = event.sequence + 1;
    return [...missed, event];
  });
}

function toGap(next: JobEvent): JobEvent {
  const { jobId, at, totalSteps } = next;
  const nothing = { step: null, preview: null, image: null, error: null };
  return { jobId, sequence: next.sequence - 1, type: 'GAP', at, totalSteps, ...nothing };
}

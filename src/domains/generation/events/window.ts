import type { JobEvent } from '../event.ts';

/** The newest events of a job, shared by all who follow it. Bounded, so that nobody's delay costs memory. */
export interface Window {
  /** Whoever has everything up to this number, and nobody else, finds what follows here. */
  readonly from: number;
  /** The newest number that has been put in; `from` while there is none. */
  readonly last: number;
  /** Adds events above `last`, in order; the oldest ones leave. */
  push(events: readonly JobEvent[]): void;
  /** The first event above `after`, or null when there is none yet. Meaningless for an `after` below `from`. */
  next(after: number): JobEvent | null;
}

/**
 * Six seconds of progress at the ten events a second that a job writes at most. A reader that is
 * further behind than this skips progress; one that reads at all never is. With small previews it is
 * some hundred kilobytes for each job that is followed.
 */
export const WINDOW_EVENTS_MAX = 64;

export function createWindow(start: number): Window {
  const events: JobEvent[] = [];
  let from = start;
  const last = () => events.at(-1)?.sequence ?? from;
  return {
    get from() {
      return from;
    },
    get last() {
      return last();
    },
    push(added) {
      events.push(...added);
      const gone = events.splice(0, Math.max(0, events.length - WINDOW_EVENTS_MAX));
      from = gone.at(-1)?.sequence ?? from;
    },
    next(after) {
      // Most readers want the newest.
      if (after >= last()) return null;
      return events.find(({ sequence }) => sequence > after) ?? null;
    },
  };
}

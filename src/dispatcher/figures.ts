import type { Clock } from '../kernel/clock.ts';

/** What a dispatcher's U-Net calls came to since its start: counts and sums, so that processes can be added up. */
export interface DispatcherFigures {
  /** Rows in calls at this moment. */
  readonly rowsInFlight: number;
  readonly unetCalls: number;
  readonly unetRows: number;
  /** Time with at least one call in flight. */
  readonly busyMs: number;
  /** Time for which an instance stood idle between an answer and its next call although rows were at work. */
  readonly gapMs: number;
  /** How many such times `gapMs` is the sum of. */
  readonly gaps: number;
}

export interface CallMeter {
  /** Told when a call is sent; `gapMs` is how long its instance could have had it earlier, null when not at all. */
  started(rows: number, gapMs: number | null): void;
  ended(rows: number): void;
  read(): DispatcherFigures;
}

export function createCallMeter(clock: Clock): CallMeter {
  let calls = 0;
  let callsInFlight = 0;
  let rowsInFlight = 0;
  let unetRows = 0;
  let busySinceMs = 0;
  let busyMs = 0;
  let gapMs = 0;
  let gaps = 0;
  const currentMs = () => (callsInFlight > 0 ? clock.monotonicMs() - busySinceMs : 0);
  return {
    started(rows, gap) {
      if (callsInFlight === 0) busySinceMs = clock.monotonicMs();
      calls += 1;
      callsInFlight += 1;
      rowsInFlight += rows;
      unetRows += rows;
      if (gap === null) return;
      gapMs += gap;
      gaps += 1;
    },
    ended(rows) {
      if (callsInFlight === 1) busyMs += currentMs();
      callsInFlight -= 1;
      rowsInFlight -= rows;
    },
    read: () => ({ rowsInFlight, unetCalls: calls, unetRows, busyMs: busyMs + currentMs(), gapMs, gaps }),
  };
}

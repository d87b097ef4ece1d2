import type { DispatcherFigures } from '../domains/operations/index.ts';
import type { Clock } from '../kernel/clock.ts';

/** Counts a dispatcher's U-Net calls. */
export interface CallMeter {
  /** Told when a call is sent; `gapMs` is how long its instance could have had it earlier, null when not at all. */
  started(rows: number, gapMs: number | null): void;
  /** Told when a call has ended; one that brought no answer counts as work for the time, and as no call. */
  ended(rows: number, isAnswered: boolean): void;
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
      callsInFlight += 1;
      rowsInFlight += rows;
      if (gap === null) return;
      gapMs += gap;
      gaps += 1;
    },
    ended(rows, isAnswered) {
      if (callsInFlight === 1) busyMs += currentMs();
      if (isAnswered) {
        calls += 1;
        unetRows += rows;
      }
      callsInFlight -= 1;
      rowsInFlight -= rows;
    },
    read: () => ({ rowsInFlight, unetCalls: calls, unetRows, busyMs: busyMs + currentMs(), gapMs, gaps }),
  };
}

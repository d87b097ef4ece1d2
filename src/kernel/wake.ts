import type { Clock } from './clock.ts';

/** Lets one loop wait for a ring, or for a while, whichever comes first. */
export interface Wake {
  ring(): void;
  /**
   * Resolves at the next ring, at once when one came since the last call, after `waitMs`, or when
   * `signal` fires. One caller at a time.
   */
  next(waitMs: number, signal: AbortSignal): Promise<void>;
}

export function createWake(clock: Clock): Wake {
  let isRung = false;
  let waiting: AbortController | null = null;
  return {
    ring() {
      isRung = true;
      waiting?.abort();
    },
    async next(waitMs, signal) {
      if (!isRung) {
        waiting = new AbortController();
        await clock.sleep(waitMs, AbortSignal.any([signal, waiting.signal])).catch(() => {});
        waiting = null;
      }
      isRung = false;
    },
  };
}

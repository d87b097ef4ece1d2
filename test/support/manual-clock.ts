import type { Clock } from '../../src/kernel/clock.ts';

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves on by `ms` and wakes the sleepers whose time has come. */
  advance(ms: number): void;
}

export function createManualClock(startMs = 0): ManualClock {
  let nowMs = startMs;
  const sleepers = new Set<{ readonly wakeMs: number; readonly wake: () => void }>();
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep(delayMs, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const stop = () => {
        sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      const sleeper = {
        wakeMs: nowMs + delayMs,
        wake() {
          sleepers.delete(sleeper);
          signal?.removeEventListener('abort', stop);
          resolve();
        },
      };
      if (signal?.aborted) stop();
      else {
        sleepers.add(sleeper);
        signal?.addEventListener('abort', stop, { once: true });
      }
      return promise;
    },
    advance(ms) {
      nowMs += ms;
      for (const sleeper of sleepers) if (sleeper.wakeMs <= nowMs) sleeper.wake();
    },
  };
}

/** Moves the clock on until `work` settles, and returns what it brings. */
export async function moveUntil<T>(clock: ManualClock, work: PromiseLike<T>): Promise<T> {
  let isSettled = false;
  const settled = Promise.resolve(work).finally(() => {
    isSettled = true;
  });
  settled.catch(() => {});
  while (!isSettled) {
    clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return settled;
}

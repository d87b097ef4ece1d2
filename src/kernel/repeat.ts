import type { Clock } from './clock.ts';

/**
 * Does `work`, waits, and does it again until `signal` fires; resolves once the work in progress has
 * ended. `work` returns how long to wait, in milliseconds, and must not reject.
 */
export async function repeat(work: () => Promise<number>, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const waitMs = await work();
    await clock.sleep(waitMs, signal).catch(() => {});
  }
}

import type { Clock } from '../../../kernel/clock.ts';
import type { Id } from '../../../kernel/ids.ts';
import type { Wake } from '../../../kernel/wake.ts';
import { createWake } from '../../../kernel/wake.ts';
import type { Doorbell } from './doorbell.ts';
import { EVENTS_CHANNEL } from './doorbell.ts';

export interface Waiters extends Disposable {
  /** Starts to note rings for a job; dispose of it when nobody waits any more. */
  watch(jobId: Id<'job'>): Wake & Disposable;
}

/** One listener for all subscriptions of the process: each is woken by rings for its own job only. */
export function createWaiters(doorbell: Doorbell, clock: Clock): Waiters {
  const wakes = new Map<string, Set<Wake>>();
  const stop = doorbell.onRing(EVENTS_CHANNEL, (id) => {
    // Null: rings may have been missed, for any job.
    const rung = id === null ? [...wakes.values()] : [wakes.get(id) ?? []];
    for (const group of rung) for (const wake of group) wake.ring();
  });

  return {
    watch(jobId) {
      const wake = createWake(clock);
      const group = wakes.get(jobId) ?? new Set();
      wakes.set(jobId, group.add(wake));
      return {
        ...wake,
        [Symbol.dispose]() {
          group.delete(wake);
          if (group.size === 0) wakes.delete(jobId);
        },
      };
    },
    [Symbol.dispose]: stop,
  };
}

import type { Clock } from '../kernel/clock.ts';
import type { Request } from './request.ts';

/** For how long instances stood idle although somebody in their next call was at work already. */
export interface IdleTimes {
  /** An instance has answered this call. */
  begin(batch: readonly Request[]): void;
  /** An instance takes this call: how long it could have had it earlier; null for one that has not run before. */
  end(batch: readonly Request[]): number | null;
}

export function createIdleTimes(clock: Clock): IdleTimes {
  const idleSinceMs: number[] = [];
  const answeredAtMs = new WeakMap<object, number>();
  return {
    begin(batch) {
      const nowMs = clock.monotonicMs();
      idleSinceMs.push(nowMs);
      for (const { asker } of batch) answeredAtMs.set(asker.owner, nowMs);
    },
    end(batch) {
      const sinceMs = idleSinceMs.pop();
      if (sinceMs === undefined) return null;
      // A job is at work from its last answer on: what its own arithmetic takes, the engine waits for.
      const readyAtMs = Math.min(
        ...batch.map(({ asker, askedAtMs }) => answeredAtMs.get(asker.owner) ?? askedAtMs),
      );
      return Math.max(0, clock.monotonicMs() - Math.max(sinceMs, readyAtMs));
    },
  };
}

import type { Bell } from '../domains/generation/index.ts';
import { OrphanError, reap, trimHistory } from '../domains/scheduling/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { endsWithin } from '../kernel/ends-within.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Id, NewId } from '../kernel/ids.ts';
import type { FailureLog } from '../kernel/outage.ts';
import { repeat } from '../kernel/repeat.ts';
import type { Db } from '../platform/db/index.ts';
import { isReachable, isRetryableDatabaseError, isTransactionConflict } from '../platform/db/index.ts';

export interface BackgroundDeps {
  /** A pool of `darkroom_system`. */
  readonly systemDb: Db;
  readonly bell: Bell;
  readonly newId: NewId;
  readonly clock: Clock;
  readonly settings: BackgroundSettings;
  readonly logger: Pick<FailureLog, 'info' | 'warn' | 'failed'>;
}

/** How often each thing is done, and when it is put off, in milliseconds. */
export interface BackgroundSettings {
  /** What a dead dispatcher's jobs wait for beyond their lease. */
  readonly reapEveryMs: number;
  /**
   * How long a holder has to renew its leases once the database is back: while it was away no holder could, and
   * a lease that ran out meanwhile tells nothing of its holder.
   */
  readonly leaseGraceMs: number;
  readonly trimEveryMs: number;
}

export const DEFAULT_BACKGROUND_SETTINGS: BackgroundSettings = {
  reapEveryMs: 1_000,
  // Three heartbeats, and what a pool needs to connect again.
  leaseGraceMs: 5_000,
  trimEveryMs: 10 * 60_000,
};

// As long as a transaction may take.
const STOP_MS = 10_000;

/**
 * What happens without anybody asking: jobs of dead dispatchers go back into the queue, and what has
 * served its time is deleted. Any number of these may run; they do not get in each other's way.
 * Disposing waits for the work in progress, ten seconds at most.
 */
export function startBackground(deps: BackgroundDeps): AsyncDisposable {
  const stopping = new AbortController();
  const loops = [
    every(deps.settings.reapEveryMs, 'reaping', createReaper(deps)),
    every(deps.settings.trimEveryMs, 'trimming', () => trimHistory(deps.systemDb, stopping.signal)),
  ];

  function every(intervalMs: number, name: string, work: () => Promise<void>): Promise<void> {
    const once = async () => {
      await work().catch((error: unknown) => {
        deps.logger.failed(error, {}, `${name} failed; it is tried again`);
      });
      return intervalMs;
    };
    return repeat(once, deps.clock, stopping.signal);
  }

  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      if (!(await endsWithin(Promise.all(loops), STOP_MS, deps.clock)))
        deps.logger.warn({ limitMs: STOP_MS }, 'the database does not answer; the stop goes on without it');
    },
  };
}

/** Reaps, unless the database is away or has been just now. */
function createReaper(deps: BackgroundDeps): () => Promise<void> {
  const { systemDb, clock, settings } = deps;
  let isAway = false;
  let fromMs = 0;
  return async () => {
    if (isAway) {
      if (!(await isReachable(systemDb))) return;
      isAway = false;
      fromMs = clock.monotonicMs() + settings.leaseGraceMs;
    }
    if (clock.monotonicMs() < fromMs) return;
    await reapAll(deps).catch((error: unknown) => {
      isAway = isRetryableDatabaseError(error) && !isTransactionConflict(error);
      throw error;
    });
  };
}

/** One orphan that cannot be ended is left for the next time, and keeps none of the others waiting. */
async function reapAll(deps: BackgroundDeps): Promise<void> {
  const skipped = new Set<Id<'job'>>();
  for (;;) {
    try {
      const reaped = await reap({ ...deps, leaseGraceMs: deps.settings.leaseGraceMs }, skipped);
      if (reaped === null) return;
      deps.logger.info({ job: reaped.id, state: reaped.state }, 'took a job from a dispatcher that is gone');
    } catch (error) {
      if (!(error instanceof OrphanError)) throw error;
      skipped.add(error.jobId);
      deps.logger.warn(
        { job: error.jobId, reason: messageOf(error.cause) },
        'a job could not be taken from a dispatcher that is gone; it is tried again',
      );
    }
  }
}

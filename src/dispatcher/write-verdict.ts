import type { Completion, FinishedRun } from '../domains/generation/index.ts';
import type { Scheduling } from '../domains/scheduling/index.ts';
import type { Backoff } from '../kernel/backoff.ts';
import { backoffMs } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { isRetryableDatabaseError } from '../platform/db/index.ts';
import type { DispatcherLogger } from './log.ts';
import type { Verdict } from './verdict.ts';

export interface WriteDeps {
  readonly completion: Completion;
  readonly scheduling: Scheduling;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: DispatcherLogger;
}

const RETRY: Backoff = { firstMs: 100, maxMs: 2_000 };

// A database that restarts is back within seconds. Nothing is risked by trying on: should the lease have run
// out meanwhile, the fence refuses the write. A place in the queue is worth less of a wait, which a drain
// would have to sit out: the end of the lease brings it too.
const RETRY_FOR_MS: Readonly<Record<'END' | 'REQUEUE', number>> = { END: 30_000, REQUEUE: 5_000 };

/**
 * Writes what becomes of a job, and tries on while the database is away: pictures that are stored already are
 * not drawn again for a restart of Postgres. Rejects when it cannot be written; the lease runs out then.
 */
export async function writeVerdict(deps: WriteDeps, ended: FinishedRun, verdict: Verdict): Promise<void> {
  if (verdict.kind === 'DROP') return;
  const untilMs = deps.clock.monotonicMs() + RETRY_FOR_MS[verdict.kind];
  for (let attempt = 0; ; attempt += 1) {
    try {
      await write(deps, ended, verdict);
      return;
    } catch (error) {
      if (!isRetryableDatabaseError(error) || deps.clock.monotonicMs() >= untilMs) throw error;
      deps.logger.failed(error, { job: ended.jobId }, 'a verdict is written once more');
      await deps.clock.sleep(backoffMs(RETRY, attempt, deps.random));
    }
  }
}

async function write(
  { completion, scheduling }: WriteDeps,
  ended: FinishedRun,
  verdict: Exclude<Verdict, { kind: 'DROP' }>,
): Promise<void> {
  if (verdict.kind === 'END') await completion.complete(ended, verdict.outcome);
  else {
    const { counts, delayMs } = verdict;
    await scheduling.release({ ...ended, id: ended.jobId, counts, delayMs });
  }
}

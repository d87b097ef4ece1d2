import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { NewProgress } from '../generation/index.ts';
import { insertProgress, insertStateEvents } from '../generation/index.ts';

/** A job that its holder gives back unfinished. */
export interface GivenBack {
  readonly tenantId: Id<'tenant'>;
  readonly id: Id<'job'>;
  readonly fence: number;
  /** Evaluations that ran: what a cancelled job is charged for. */
  readonly step: number;
  readonly pending: readonly NewProgress[];
  readonly nextSequence: number;
  /** True when an engine failed the job, which counts against it; false when the holder merely stops. */
  readonly isAttempt: boolean;
  /** How long nobody may claim it. */
  readonly delayMs: number;
}

/**
 * Puts the job back into the queue at once, without waiting for its lease; one that was cancelled meanwhile is
 * left for the reaper to end, who charges for the steps that ran. False when it is no longer the caller's.
 */
export async function releaseJob(tx: Tx, job: GivenBack): Promise<boolean> {
  const { tenantId, id, nextSequence } = job;
  await insertProgress(tx, job.pending);
  const ended = await tx.$executeRaw`
    update job set lease_until = clock_timestamp(), step = ${job.step}, last_sequence = ${nextSequence - 1}
    where tenant_id = ${tenantId} and id = ${id} and fence = ${job.fence} and state = 'RUNNING'
      and cancel_requested_at is not null`;
  if (ended > 0) return true;
  const changed = await tx.$executeRaw`
    update job set state = 'QUEUED', fence = fence + 1, holder = null, lease_until = null, step = 0,
      last_sequence = ${nextSequence}, attempts = attempts + ${job.isAttempt ? 1 : 0}::int,
      not_before = clock_timestamp() + make_interval(secs => ${job.delayMs / 1000}::float8)
    where tenant_id = ${tenantId} and id = ${id} and fence = ${job.fence} and state = 'RUNNING'`;
  if (changed === 0) return false;
  await insertStateEvents(tx, [{ tenantId, jobId: id, sequence: nextSequence, type: 'REQUEUED' }]);
  return true;
}

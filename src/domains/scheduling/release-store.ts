import type { Id, NewId } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { NewProgress } from '../generation/index.ts';
import { insertProgress, insertStateEvents } from '../generation/index.ts';
import type { EndedRow, Moved } from './end-store.ts';
import { endJob } from './end-store.ts';

/**
 * What is held against a job that is given back: an engine failed it, or went away under it; null when the
 * holder merely stops.
 */
export type Counted = 'ATTEMPT' | 'RECOVERY' | null;

/** A job that its holder gives back unfinished. */
export interface GivenBack {
  readonly tenantId: Id<'tenant'>;
  readonly id: Id<'job'>;
  readonly fence: number;
  /** Evaluations that ran: what a cancelled job is charged for. */
  readonly step: number;
  readonly pending: readonly NewProgress[];
  readonly nextSequence: number;
  readonly counts: Counted;
  /** How long nobody may claim it. */
  readonly delayMs: number;
}

/**
 * Puts the job back into the queue at once, without waiting for its lease, or ends it when its tenant has asked
 * for that. Its row is locked before the two are told apart, so that no cancel comes between. Null when it is no
 * longer the caller's.
 */
export async function releaseJob(tx: Tx, newId: NewId, job: GivenBack): Promise<Moved | null> {
  const { tenantId, id, nextSequence } = job;
  await insertProgress(tx, job.pending);
  const [held] = await tx.$queryRaw<HeldRow[]>`
    select total_steps, credits, cancel_requested_at is not null as cancel
    from job where tenant_id = ${tenantId} and id = ${id} and fence = ${job.fence} and state = 'RUNNING'
    for no key update`;
  if (!held) return null;
  if (held.cancel) {
    const row = { ...held, tenant_id: tenantId, id, step: job.step, last_sequence: nextSequence - 1 };
    return endJob(tx, newId, { row, error: null });
  }
  await tx.$executeRaw`
    update job set state = 'QUEUED', fence = fence + 1, holder = null, lease_until = null, step = 0,
      last_sequence = ${nextSequence}, attempts = attempts + ${job.counts === 'ATTEMPT' ? 1 : 0}::int,
      recoveries = recoveries + ${job.counts === 'RECOVERY' ? 1 : 0}::int,
      not_before = clock_timestamp() + make_interval(secs => ${job.delayMs / 1000}::float8)
    where tenant_id = ${tenantId} and id = ${id}`;
  await insertStateEvents(tx, [{ tenantId, jobId: id, sequence: nextSequence, type: 'REQUEUED' }]);
  return { id, state: 'QUEUED' };
}

interface HeldRow extends Pick<EndedRow, 'total_steps' | 'credits'> {
  readonly cancel: boolean;
}

import { messageOf } from '../../kernel/errors.ts';
import type { Id, NewId } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import { isRetryableDatabaseError, isTransactionConflict } from '../../platform/db/index.ts';
import type { JobError } from '../generation/index.ts';
import { insertStateEvents } from '../generation/index.ts';
import type { EndedRow, Moved } from './end-store.ts';
import { endJob, eventOf } from './end-store.ts';

/** A job under which dispatchers or nodes died this often is more likely to be killing them. */
export const RECOVERIES_MAX = 10;

interface OrphanRow extends EndedRow {
  readonly recoveries: number;
  readonly cancel: boolean;
}

/** How a job ends that was recovered too often. */
export const POISONED: JobError = {
  code: 'POISONED',
  message: 'This job was given up after it had been interrupted many times. It was not charged.',
};

export interface Reaping {
  /** Orphans that are left for another time. */
  readonly except: ReadonlySet<Id<'job'>>;
  readonly leaseGraceMs: number;
}

/** An orphaned job that could not be taken from its holder; the others are no worse for it. */
export class OrphanError extends Error {
  override readonly name = 'OrphanError';
  readonly jobId: Id<'job'>;

  constructor(jobId: Id<'job'>, cause: unknown) {
    super(`The job ${jobId} cannot be taken from its holder: ${messageOf(cause)}`, { cause });
    this.jobId = jobId;
  }
}

/**
 * Takes one job whose lease ran out from its dead holder: back to the queue, CANCELLED when that was
 * asked for, or FAILED when it has been recovered too often. Null when there is none outside `except`. The
 * fence grows, so that a holder that was only asleep can write nothing more. While the server was down no holder
 * could renew: none is taken for dead in the first `leaseGraceMs` after its start.
 */
export async function reapOne(
  tx: Tx,
  newId: NewId,
  { except, leaseGraceMs }: Reaping,
): Promise<Moved | null> {
  const [row] = await tx.$queryRaw<OrphanRow[]>`
    select tenant_id, id, step, total_steps, credits, recoveries, last_sequence,
      cancel_requested_at is not null as cancel
    from job
    where state = 'RUNNING' and lease_until < clock_timestamp() and id <> all(${[...except]}::text[])
      and pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => ${leaseGraceMs / 1000}::float8)
    order by lease_until
    limit 1
    for no key update skip locked`;
  if (!row) return null;
  try {
    return await recover(tx, newId, row);
  } catch (error) {
    // A conflict or a database that is away says nothing about this job.
    if (isTransactionConflict(error) || isRetryableDatabaseError(error)) throw error;
    throw new OrphanError(row.id, error);
  }
}

async function recover(tx: Tx, newId: NewId, row: OrphanRow): Promise<Moved> {
  if (row.cancel) return endJob(tx, newId, { row, error: null });
  if (row.recoveries >= RECOVERIES_MAX) return endJob(tx, newId, { row, error: POISONED });
  await tx.$executeRaw`
    update job set state = 'QUEUED', fence = fence + 1, holder = null, lease_until = null, step = 0,
      recoveries = recoveries + 1, last_sequence = last_sequence + 1
    where tenant_id = ${row.tenant_id} and id = ${row.id}`;
  await insertStateEvents(tx, [eventOf(row, { type: 'REQUEUED' })]);
  return { id: row.id, state: 'QUEUED' };
}

import type { Tx } from '../../platform/db/index.ts';

/** Long enough for a client to reconnect and replay, short enough to keep the unlogged table small. */
const PROGRESS_KEPT_MINUTES = 60;

/** The time for which an idempotency key is remembered, and an hour of grace. */
const IDEMPOTENCY_KEPT_HOURS = 25;

/** Deletes up to `limit` rows of one kind and tells how many. */
export interface Trim {
  /** Of its own: whoever gives way at one kind must not stand in the way at the next. */
  readonly lock: number;
  readonly deleteOldest: (tx: Tx, limit: number) => Promise<number>;
}

/** Runs one batch unless another process is at one: two would delete the same rows and wait for each other. */
export async function trimAlone(tx: Tx, { lock, deleteOldest }: Trim, limit: number): Promise<number> {
  const [row] = await tx.$queryRaw<{ isOurs: boolean }[]>`
    select pg_try_advisory_xact_lock(${lock}) as "isOurs"`;
  return row?.isOurs ? deleteOldest(tx, limit) : 0;
}

/**
 * Deletes the progress of jobs that ended a while ago, the oldest first; replays tell it as GAP. What is
 * younger than that belongs to no such job, so the index on its time serves the search.
 */
export const trimProgress: Trim = {
  lock: 72707370,
  deleteOldest: (tx, limit) => tx.$executeRaw`
  delete from job_progress where (tenant_id, job_id, sequence) in (
    select p.tenant_id, p.job_id, p.sequence
    from job_progress p
    join job on job.tenant_id = p.tenant_id and job.id = p.job_id
    where p.at < clock_timestamp() - make_interval(mins => ${PROGRESS_KEPT_MINUTES}::int)
      and job.finished_at < clock_timestamp() - make_interval(mins => ${PROGRESS_KEPT_MINUTES}::int)
    order by p.at
    limit ${limit}
  )`,
};

export const trimIdempotencyRecords: Trim = {
  lock: 72707372,
  deleteOldest: (tx, limit) => tx.$executeRaw`
  delete from idempotency_record where (tenant_id, environment, operation, key) in (
    select tenant_id, environment, operation, key
    from idempotency_record
    where created_at < clock_timestamp() - make_interval(hours => ${IDEMPOTENCY_KEPT_HOURS}::int)
    order by created_at
    limit ${limit}
  )`,
};

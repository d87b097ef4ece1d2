import type { Tx } from '../../platform/db/index.ts';

/** Long enough for a client to reconnect and replay, short enough to keep the unlogged table small. */
const PROGRESS_KEPT_MINUTES = 60;

/** The time for which an idempotency key is remembered, and an hour of grace. */
const IDEMPOTENCY_KEPT_HOURS = 25;

/** Deletes the progress of jobs that ended a while ago; replays tell it as GAP. */
export async function trimProgress(tx: Tx): Promise<void> {
  await tx.$executeRaw`
    delete from job_progress p using job
    where job.tenant_id = p.tenant_id and job.id = p.job_id
      and job.finished_at < clock_timestamp() - make_interval(mins => ${PROGRESS_KEPT_MINUTES}::int)`;
}

export async function trimIdempotencyRecords(tx: Tx): Promise<void> {
  await tx.$executeRaw`
    delete from idempotency_record
    where created_at < clock_timestamp() - make_interval(hours => ${IDEMPOTENCY_KEPT_HOURS}::int)`;
}

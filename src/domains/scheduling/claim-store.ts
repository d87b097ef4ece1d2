import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { Recipe } from '../generation/index.ts';
import { parseRecipe } from '../generation/index.ts';

/** How many event numbers a holder is ahead of what it used: enough for 20 a second over two heartbeats. */
export const SEQUENCE_BLOCK = 100;

/** A job that the caller now holds. Whatever it writes from here on carries `fence`. */
export interface ClaimedJob {
  readonly tenantId: Id<'tenant'>;
  readonly id: Id<'job'>;
  readonly fence: number;
  readonly versionId: Id<'version'>;
  readonly engineKey: string;
  readonly recipe: Recipe;
  readonly totalSteps: number;
  readonly credits: number;
  readonly attempts: number;
  /** The first event number after STARTED, and the last that the holder may use before a heartbeat gives more. */
  readonly nextSequence: number;
  readonly sequenceMax: number;
  /** True when it was asked for before the job came back into the queue: end it, run nothing. */
  readonly isCancelRequested: boolean;
}

export interface ClaimRequest {
  readonly holder: Id<'dispatcher'>;
  readonly engineKey: string;
  readonly limit: number;
  readonly leaseMs: number;
}

interface ClaimRow {
  readonly tenant_id: Id<'tenant'>;
  readonly id: Id<'job'>;
  readonly fence: number;
  readonly version_id: Id<'version'>;
  readonly engine_key: string;
  readonly recipe: unknown;
  readonly total_steps: number;
  readonly credits: number;
  readonly attempts: number;
  readonly last_sequence: number;
  readonly cancel: boolean;
}

/**
 * Takes up to `limit` of the oldest jobs that the engines can serve: leased on the database's clock,
 * fenced, with room for the holder's event numbers. SKIP LOCKED lets any number of dispatchers claim
 * at once; the partial index keeps the cost independent of how much history there is.
 */
export async function claimJobs(
  tx: Tx,
  { holder, engineKey, limit, leaseMs }: ClaimRequest,
): Promise<readonly ClaimedJob[]> {
  const rows = await tx.$queryRaw<ClaimRow[]>`
    with due as (
      select tenant_id, id from job
      where state = 'QUEUED' and engine_key = ${engineKey}
        and (not_before is null or not_before <= clock_timestamp())
      order by id
      limit ${limit}
      for no key update skip locked
    )
    update job set state = 'RUNNING', holder = ${holder}, fence = fence + 1, step = 0, not_before = null,
      lease_until = clock_timestamp() + make_interval(secs => ${leaseMs / 1000}::float8),
      started_at = coalesce(started_at, clock_timestamp()),
      last_sequence = last_sequence + 1 + ${SEQUENCE_BLOCK}::int
    from due
    where job.tenant_id = due.tenant_id and job.id = due.id
    returning job.tenant_id, job.id, fence, version_id, engine_key, recipe, total_steps, credits, attempts,
      last_sequence, cancel_requested_at is not null as cancel`;
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    id: row.id,
    fence: row.fence,
    versionId: row.version_id,
    engineKey: row.engine_key,
    recipe: parseRecipe(row.recipe),
    totalSteps: row.total_steps,
    credits: row.credits,
    attempts: row.attempts,
    nextSequence: row.last_sequence - SEQUENCE_BLOCK + 1,
    sequenceMax: row.last_sequence,
    isCancelRequested: row.cancel,
  }));
}

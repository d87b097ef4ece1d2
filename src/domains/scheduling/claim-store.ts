import { Prisma } from '../../generated/prisma/client.ts';
import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { Recipe } from '../generation/index.ts';
import { parseRecipe } from '../generation/index.ts';

/** How many event numbers a holder is ahead of what it used: enough for 20 a second over two heartbeats. */
export const SEQUENCE_BLOCK = 100;

// More than any job has: a recipe that says otherwise must reach the parser, which tells it from the others, and
// not fail the query for all.
const ROWS_BOUND = 1_000;

/** A job that the caller now holds. Whatever it writes from here on carries `fence`. */
export interface ClaimedJob {
  readonly tenantId: Id<'tenant'>;
  readonly id: Id<'job'>;
  readonly fence: number;
  readonly versionId: Id<'version'>;
  readonly engineKey: string;
  readonly recipe: Recipe;
  /** U-Net rows of each of its evaluations: one per picture. */
  readonly rows: number;
  readonly totalSteps: number;
  readonly credits: number;
  readonly attempts: number;
  readonly recoveries: number;
  /** The first event number after STARTED, and the last that the holder may use before a heartbeat gives more. */
  readonly nextSequence: number;
  readonly sequenceMax: number;
}

export interface ClaimRequest {
  readonly holder: Id<'dispatcher'>;
  readonly engineKey: string;
  /** Which parts the engine serves; jobs that call another one are left for a node that has it. */
  readonly parts: readonly string[];
  /** How many U-Net rows there is room for. */
  readonly rows: number;
  readonly leaseMs: number;
}

/** What a claim brought. */
export interface Claimed {
  readonly jobs: readonly ClaimedJob[];
  /** Jobs whose recipe cannot be read: the caller holds them and ends them, or they would block the queue. */
  readonly unreadable: readonly ClaimRow[];
}

export interface ClaimRow {
  readonly tenant_id: Id<'tenant'>;
  readonly id: Id<'job'>;
  readonly fence: number;
  readonly version_id: Id<'version'>;
  readonly engine_key: string;
  readonly rows: number;
  readonly recipe: unknown;
  readonly total_steps: number;
  readonly credits: number;
  readonly attempts: number;
  readonly recoveries: number;
  readonly last_sequence: number;
}

/**
 * Jobs of an engine that may be claimed now, locked: of each set of parts that jobs call and the engine serves, the
 * oldest `limit`. The sets come from the index `job_claim`, one look for each, and the jobs of a set from the same
 * index in its order: what the engine cannot run costs nothing, however much of it waits.
 */
export function dueJobs({ engineKey, parts, rows }: Omit<ClaimRequest, 'holder' | 'leaseMs'>): Prisma.Sql {
  return Prisma.sql`
    with recursive called as (
      (select parts from job where state = 'QUEUED' and engine_key = ${engineKey} order by parts limit 1)
      union all
      select (select job.parts from job where state = 'QUEUED' and engine_key = ${engineKey} and job.parts > called.parts
        order by job.parts limit 1)
      from called where called.parts is not null
    )
    select due.* from called cross join lateral (
      select tenant_id, id, created_at, case jsonb_typeof(recipe -> 'settings' -> 'imageCount')
        when 'number' then least(greatest((recipe -> 'settings' -> 'imageCount')::numeric, 1), ${ROWS_BOUND}::int)::int
        else 1 end as rows
      from job
      where state = 'QUEUED' and engine_key = ${engineKey} and job.parts = called.parts
        and (not_before is null or not_before <= clock_timestamp())
      order by created_at, id
      limit ${rows}
      for no key update skip locked
    ) as due
    where string_to_array(called.parts, ' ') <@ ${[...parts]}::text[]`;
}

/**
 * Takes the oldest jobs that the engines can serve until `rows` are full; the last one may reach beyond, so
 * that one larger than all the room there is gets its turn. They are leased on the database's clock,
 * fenced, with room for the holder's event numbers. SKIP LOCKED lets any number of dispatchers claim
 * at once; the partial index keeps the cost independent of how much history there is.
 */
export async function claimJobs(
  tx: Tx,
  { holder, rows: room, leaseMs, ...engine }: ClaimRequest,
): Promise<Claimed> {
  const rows = await tx.$queryRaw<ClaimRow[]>`
    with due as (${dueJobs({ ...engine, rows: room })}), fitting as (
      select tenant_id, id, rows, sum(rows) over (order by created_at, id) - rows as before from due
    )
    update job set state = 'RUNNING', holder = ${holder}, fence = fence + 1, step = 0, not_before = null,
      lease_until = clock_timestamp() + make_interval(secs => ${leaseMs / 1000}::float8),
      started_at = coalesce(started_at, clock_timestamp()),
      last_sequence = last_sequence + 1 + ${SEQUENCE_BLOCK}::int
    from fitting
    where job.tenant_id = fitting.tenant_id and job.id = fitting.id and fitting.before < ${room}
    returning job.tenant_id, job.id, fitting.rows, fence, version_id, engine_key, recipe, total_steps, credits, attempts,
      recoveries, last_sequence`;
  const parsed = rows.map((row) => ({ row, recipe: recipeOf(row) }));
  return {
    jobs: parsed.flatMap(({ row, recipe }) => (recipe ? [toClaimedJob(row, recipe)] : [])),
    unreadable: parsed.flatMap(({ row, recipe }) => (recipe ? [] : [row])),
  };
}

function recipeOf({ recipe }: ClaimRow): Recipe | null {
  try {
    return parseRecipe(recipe);
  } catch {
    return null;
  }
}

function toClaimedJob(row: ClaimRow, recipe: Recipe): ClaimedJob {
  return {
    tenantId: row.tenant_id,
    id: row.id,
    fence: row.fence,
    versionId: row.version_id,
    engineKey: row.engine_key,
    rows: row.rows,
    recipe,
    totalSteps: row.total_steps,
    credits: row.credits,
    attempts: row.attempts,
    recoveries: row.recoveries,
    nextSequence: row.last_sequence - SEQUENCE_BLOCK + 1,
    sequenceMax: row.last_sequence,
  };
}

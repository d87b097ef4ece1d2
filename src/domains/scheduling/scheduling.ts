import type { Id, NewId } from '../../kernel/ids.ts';
import type { Db } from '../../platform/db/index.ts';
import type { Bell, NewProgress } from '../generation/index.ts';
import { EVENTS_CHANNEL, insertProgress, insertStateEvents, QUEUE_CHANNEL } from '../generation/index.ts';
import { asPlatform } from '../tenancy/index.ts';
import { abandonJobs } from './abandon-store.ts';
import type { ClaimedJob, ClaimRequest } from './claim-store.ts';
import { claimJobs } from './claim-store.ts';
import type { Moved } from './end-store.ts';
import { failUnreadable } from './end-store.ts';
import type { Pulse, Renewal } from './lease-store.ts';
import { renewLeases } from './lease-store.ts';
import { reapOne } from './reap-store.ts';
import type { GivenBack } from './release-store.ts';
import { releaseJob } from './release-store.ts';
import { trimAlone, trimIdempotencyRecords, trimProgress } from './trim-store.ts';

export interface SchedulingDeps {
  /** A pool of `darkroom_dispatcher`. */
  readonly dispatcherDb: Db;
  readonly bell: Bell;
  readonly newId: NewId;
}

export type Scheduling = ReturnType<typeof createScheduling>;

/** Which job runs next and who holds it. Postgres is the queue; leases run on its clock. */
export function createScheduling({ dispatcherDb, bell, newId }: SchedulingDeps) {
  return {
    /** Claims jobs and writes their STARTED events in the same transaction. */
    async claim(request: ClaimRequest): Promise<readonly ClaimedJob[]> {
      if (request.rows <= 0) return [];
      const { jobs, unreadable } = await asPlatform(dispatcherDb, async (tx) => {
        const claimed = await claimJobs(tx, request);
        await insertStateEvents(
          tx,
          claimed.jobs.map(({ tenantId, id, nextSequence }) => ({
            tenantId,
            jobId: id,
            sequence: nextSequence - 1,
            type: 'STARTED' as const,
            step: 0,
          })),
        );
        for (const row of claimed.unreadable) await failUnreadable(tx, newId, row);
        return claimed;
      });
      for (const { id } of [...jobs, ...unreadable]) void bell.ring(EVENTS_CHANNEL, id);
      return jobs;
    },

    /** Renews the leases of every job given; one that is missing from the answer is held by someone else now. */
    renew(pulses: readonly Pulse[], leaseMs: number): Promise<readonly Renewal[]> {
      return asPlatform(dispatcherDb, (tx) => renewLeases(tx, pulses, leaseMs));
    },

    /** Writes the progress of many jobs at once and rings once for all of them. */
    async progress(rows: readonly NewProgress[]): Promise<void> {
      await asPlatform(dispatcherDb, (tx) => insertProgress(tx, rows));
      for (const jobId of new Set(rows.map((row) => row.jobId))) void bell.ring(EVENTS_CHANNEL, jobId);
    },

    /** Puts a job back into the queue at once, or ends it when it is to be cancelled. False when it is no longer the caller's. */
    async release(job: GivenBack): Promise<boolean> {
      const moved = await asPlatform(dispatcherDb, (tx) => releaseJob(tx, newId, job));
      if (moved) void ringFor(bell, moved);
      return moved !== null;
    },

    /**
     * Puts all jobs of a holder that has no time left back into the queue at once, and ends those to be cancelled.
     * Resolves once others have been told: the process may end then.
     */
    async abandon(holder: Id<'dispatcher'>): Promise<void> {
      const all = await asPlatform(dispatcherDb, (tx) => abandonJobs(tx, newId, holder));
      await Promise.all(all.map((moved) => ringFor(bell, moved)));
    },
  };
}

export interface ReaperDeps {
  /** A pool of `darkroom_system`. */
  readonly systemDb: Db;
  readonly bell: Bell;
  readonly newId: NewId;
  /** For how long after the server's start nobody is taken for dead: no holder could renew while it was down. */
  readonly leaseGraceMs: number;
}

/**
 * Takes one orphaned job from its dead holder, the one that has waited longest and is not in `except`, or
 * answers null when there is none. Rejects with an `OrphanError` when one was found and could not be ended.
 */
export async function reap(
  { systemDb, bell, newId, leaseGraceMs }: ReaperDeps,
  except: ReadonlySet<Id<'job'>> = new Set(),
): Promise<Moved | null> {
  const reaped = await asPlatform(systemDb, (tx) => reapOne(tx, newId, { except, leaseGraceMs }));
  if (reaped) void ringFor(bell, reaped);
  return reaped;
}

async function ringFor(bell: Bell, { id, state }: Moved): Promise<void> {
  const rings = [bell.ring(EVENTS_CHANNEL, id)];
  if (state === 'QUEUED') rings.push(bell.ring(QUEUE_CHANNEL, id));
  await Promise.all(rings);
}

// Each batch is a transaction that ends long before the role's statement time-out.
const TRIM_ROWS_MAX = 5_000;

/**
 * Deletes what has served its time, in batches, until nothing is left of it or `signal` fires. Of several
 * processes that trim at once one does the work of a batch; the others leave it to that one.
 */
export async function trimHistory(systemDb: Db, signal?: AbortSignal): Promise<void> {
  for (const trim of [trimProgress, trimIdempotencyRecords]) {
    const trimBatch = () => asPlatform(systemDb, (tx) => trimAlone(tx, trim, TRIM_ROWS_MAX));
    while (!signal?.aborted && (await trimBatch()) === TRIM_ROWS_MAX);
  }
}

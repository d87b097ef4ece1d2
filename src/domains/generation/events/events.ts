import { DomainError } from '../../../kernel/errors.ts';
import type { Id } from '../../../kernel/ids.ts';
import { parseId } from '../../../kernel/ids.ts';
import type { Actor, TenantDb } from '../../tenancy/index.ts';
import { requirePermission } from '../../tenancy/index.ts';
import type { JobEvent } from '../event.ts';
import { createFeeds } from './feeds.ts';
import { followJob } from './follow.ts';
import type { ReadDeps } from './read.ts';
import { createReads, toEvents } from './read.ts';
import { listStateEvents, listTotalSteps } from './store.ts';
import type { Waiters } from './waiters.ts';

export interface EventsDeps extends ReadDeps {
  readonly waiters: Waiters;
}

export type Events = ReturnType<typeof createEvents>;

/** What happened to a job, from the beginning and as it happens. The rows are the truth; rings are hints. */
export function createEvents({ waiters, ...deps }: EventsDeps) {
  const { db } = deps;
  const reads = createReads(deps);
  const feeds = createFeeds({ reads, waiters });
  return {
    /** The state events of several jobs at once, for lists of jobs. */
    history: (
      actor: Actor,
      jobIds: readonly Id<'job'>[],
    ): Promise<ReadonlyMap<Id<'job'>, readonly JobEvent[]>> => history(db, actor, jobIds),

    /**
     * Replays the events above `after` (null: all), goes on live, and ends after the terminal one. A
     * reader so slow that the job's newest events have passed it by is told every state event but, of
     * progress, the newest alone; a GAP stands for the rest, as for all that is missing.
     *
     * Rejects with NOT_FOUND for a job that the actor has not, with BAD_USER_INPUT when `after` is
     * above the job's last number, and with UNAVAILABLE while the database is away. Once it goes it
     * waits for a database that is away. The iterator ends quietly when `signal` fires.
     */
    async follow(
      actor: Actor,
      { jobId: id, after }: { readonly jobId: string; readonly after: number | null },
      signal: AbortSignal,
    ): Promise<AsyncGenerator<JobEvent, void, undefined>> {
      requirePermission(actor, 'JOBS_READ');
      const jobId = parseId('job', id);
      const { tenantId } = actor;
      const start = after ?? 0;
      const page = jobId && (await reads.first({ tenantId, jobId }, start));
      if (!page) throw new DomainError('NOT_FOUND', 'There is no such job.', { field: ['jobId'] });
      if (start < 0 || start > page.lastGiven) {
        throw new DomainError('BAD_USER_INPUT', `"after" must lie between 0 and ${page.lastGiven}.`, {
          field: ['after'],
        });
      }
      return followJob({ reads, feeds }, { key: { tenantId, jobId }, after: start, page }, signal);
    },
  };
}

async function history(db: TenantDb, actor: Actor, jobIds: readonly Id<'job'>[]) {
  requirePermission(actor, 'JOBS_READ');
  return db.asTenant(actor.tenantId, async (tx) => {
    const rows = await listStateEvents(tx, actor.tenantId, jobIds);
    const totals = await listTotalSteps(tx, actor.tenantId, jobIds);
    const events = await toEvents(tx, actor.tenantId, {
      rows,
      totalStepsOf: (jobId) => totals.get(jobId) ?? 0,
    });
    return Map.groupBy(events, (event) => event.jobId);
  });
}

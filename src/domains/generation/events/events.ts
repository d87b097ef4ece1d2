import { DomainError } from '../../../kernel/errors.ts';
import type { Id } from '../../../kernel/ids.ts';
import { parseId } from '../../../kernel/ids.ts';
import type { Db, Tx } from '../../../platform/db/index.ts';
import type { Actor } from '../../tenancy/index.ts';
import { asTenant, requirePermission } from '../../tenancy/index.ts';
import type { JobEvent } from '../event.ts';
import { isTerminal } from '../event.ts';
import type { Image } from '../job.ts';
import { isFinal } from '../job.ts';
import { listImages } from '../store.ts';
import { fillGaps } from './gaps.ts';
import type { EventRow } from './store.ts';
import { findEventHead, listEvents, listStateEvents, listTotalSteps } from './store.ts';
import type { Waiters } from './waiters.ts';

// What a lost connection of LISTEN misses is found this much later.
const POLL_MS = 1_000;

export interface EventsDeps {
  /** A pool of `darkroom_app`. */
  readonly db: Db;
  readonly waiters: Waiters;
}

export type Events = ReturnType<typeof createEvents>;

/** What happened to a job, from the beginning and as it happens. The rows are the truth; rings are hints. */
export function createEvents({ db, waiters }: EventsDeps) {
  return {
    /** The state events of several jobs at once, for lists of jobs. */
    history: (
      actor: Actor,
      jobIds: readonly Id<'job'>[],
    ): Promise<ReadonlyMap<Id<'job'>, readonly JobEvent[]>> => history(db, actor, jobIds),

    /**
     * Replays the events above `after` (null: all), goes on live, and ends after the terminal one.
     * Rejects with NOT_FOUND for a job that the actor has not, and with BAD_USER_INPUT when `after`
     * is above the job's last number. The iterator ends quietly when `signal` fires.
     */
    async follow(
      actor: Actor,
      { jobId: id, after }: { readonly jobId: string; readonly after: number | null },
      signal: AbortSignal,
    ): Promise<AsyncGenerator<JobEvent, void, undefined>> {
      requirePermission(actor, 'JOBS_READ');
      const jobId = parseId('job', id);
      const head =
        jobId && (await asTenant(db, actor.tenantId, (tx) => findEventHead(tx, actor.tenantId, jobId)));
      if (!jobId || !head) throw new DomainError('NOT_FOUND', 'There is no such job.', { field: ['jobId'] });
      const last = after ?? 0;
      if (last < 0 || last > head.lastSequence) {
        throw new DomainError('BAD_USER_INPUT', `"after" must lie between 0 and ${head.lastSequence}.`, {
          field: ['after'],
        });
      }
      return live({ actor, jobId, last }, signal);
    },
  };

  async function* live({ actor, jobId, last }: Position, signal: AbortSignal) {
    using watch = waiters.watch(jobId);
    for (let seen = last; !signal.aborted;) {
      const { events, isOver } = await readAbove(db, { actor, jobId, last: seen });
      for (const event of events) {
        yield event;
        seen = event.sequence;
        if (isTerminal(event.type)) return;
      }
      if (isOver) return;
      await watch.next(POLL_MS, signal);
    }
  }
}

async function history(db: Db, actor: Actor, jobIds: readonly Id<'job'>[]) {
  requirePermission(actor, 'JOBS_READ');
  return asTenant(db, actor.tenantId, async (tx) => {
    const rows = await listStateEvents(tx, actor.tenantId, jobIds);
    const totals = await listTotalSteps(tx, actor.tenantId, jobIds);
    const events = await withImages(tx, actor, { rows, totalStepsOf: (jobId) => totals.get(jobId) ?? 0 });
    return Map.groupBy(events, (event) => event.jobId);
  });
}

interface Position {
  readonly actor: Actor;
  readonly jobId: Id<'job'>;
  /** The number of the last event that the reader has. */
  readonly last: number;
}

interface Reading {
  readonly events: readonly JobEvent[];
  /** True when the reader has the terminal event already, so that nothing can follow. */
  readonly isOver: boolean;
}

async function readAbove(db: Db, { actor, jobId, last }: Position): Promise<Reading> {
  return asTenant(db, actor.tenantId, async (tx) => {
    const head = await findEventHead(tx, actor.tenantId, jobId);
    if (!head) return { events: [], isOver: true };
    const rows = await listEvents(tx, actor.tenantId, { jobId, after: last });
    const events = await withImages(tx, actor, { rows, totalStepsOf: () => head.totalSteps });
    return { events: fillGaps(last, events), isOver: isFinal(head.state) && last >= head.lastSequence };
  });
}

interface Told {
  readonly rows: readonly EventRow[];
  readonly totalStepsOf: (jobId: Id<'job'>) => number;
}

async function withImages(tx: Tx, actor: Actor, { rows, totalStepsOf }: Told): Promise<readonly JobEvent[]> {
  const jobIds = new Set(rows.filter((row) => row.imageId !== null).map((row) => row.jobId));
  const images = jobIds.size === 0 ? [] : await listImages(tx, actor.tenantId, [...jobIds]);
  const imageOf = new Map<Id<'image'>, Image>(images.map((image) => [image.id, image]));
  return rows.map(({ imageId, ...row }) => ({
    ...row,
    totalSteps: totalStepsOf(row.jobId),
    image: imageId === null ? null : (imageOf.get(imageId) ?? null),
  }));
}

import type { Backoff } from '../../../kernel/backoff.ts';
import { backoffMs } from '../../../kernel/backoff.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { DomainError } from '../../../kernel/errors.ts';
import type { Id } from '../../../kernel/ids.ts';
import type { Random } from '../../../kernel/random.ts';
import { createKeyedSlots, createSlots } from '../../../kernel/slots.ts';
import type { Tx } from '../../../platform/db/index.ts';
import type { TenantDb } from '../../tenancy/index.ts';
import type { JobEvent } from '../event.ts';
import type { Image } from '../job.ts';
import { isFinal } from '../job.ts';
import { listImages } from '../store.ts';
import type { EventHead, EventRow } from './store.ts';
import { findEventHead, findLastSequence, listEvents, listLatestEvents } from './store.ts';

/** A job as one tenant knows it: what every read of its events is bound to. */
export interface JobKey {
  readonly tenantId: Id<'tenant'>;
  readonly jobId: Id<'job'>;
}

/** What stands above a number. */
export interface Page {
  readonly events: readonly JobEvent[];
  /** True when more may stand behind these. */
  readonly isFull: boolean;
  /** The last number that is written; below what was asked for when nothing is that far. */
  readonly last: number;
  /** True when nothing stands above the number, nor ever will. */
  readonly isOver: boolean;
}

/** Reads of one job's events. Each is one transaction of its tenant. */
export interface Reads {
  /** The next page above `after`, or null for a job that the tenant has not. Rejects with UNAVAILABLE or RATE_LIMITED. */
  first(key: JobKey, after: number): Promise<FirstPage | null>;
  /** As `first`, as often as it takes: null only when `signal` fires. A job that has gone is over. */
  page(key: JobKey, after: number, signal: AbortSignal): Promise<Page | null>;
  /** As `page`, of progress the newest step and the newest preview alone. */
  latest(key: JobKey, after: number, signal: AbortSignal): Promise<Page | null>;
}

export interface FirstPage extends Page {
  /** The highest number that `after` may name. */
  readonly lastGiven: number;
}

export interface ReadDeps {
  readonly db: TenantDb;
  readonly clock: Clock;
  readonly random: Random;
}

// Half of what the window holds, so that a page is still there when its readers come for it. It is also
// what a reader that stops in the middle of its replay keeps.
const PAGE_EVENTS_MAX = 32;
// Of a pool of ten, and of the three at once that a tenant has: however many streams wait, queries and
// mutations find a connection.
const READS_AT_ONCE_MAX = 4;
const TENANT_READS_AT_ONCE_MAX = 2;
const RETRY: Backoff = { firstMs: 100, maxMs: 2_000 };

type List = (tx: Tx, key: JobKey, after: number) => Promise<readonly EventRow[]>;

const listPage: List = (tx, { tenantId, jobId }, after) =>
  listEvents(tx, tenantId, { jobId, after, limit: PAGE_EVENTS_MAX });
const listLatest: List = (tx, { tenantId, jobId }, after) => listLatestEvents(tx, tenantId, { jobId, after });

export function createReads({ db, clock, random }: ReadDeps): Reads {
  const through = createSlots(READS_AT_ONCE_MAX);
  const tenants = createKeyedSlots<Id<'tenant'>>(TENANT_READS_AT_ONCE_MAX);

  const readAbove =
    ({ key, after, list }: Reading) =>
    async (tx: Tx): Promise<FirstPage | null> => {
      // Before the events: a state that is final then has its last one among them.
      const head = await findEventHead(tx, key.tenantId, key.jobId);
      return head && toPage(tx, key, { after, head, rows: await list(tx, key, after) });
    };

  async function patiently(reading: Reading, signal: AbortSignal): Promise<Page | null> {
    const { tenantId } = reading.key;
    const read = () => db.asTenant(tenantId, readAbove(reading), { through });
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        return (await tenants.run(tenantId, read)) ?? NOTHING;
      } catch (error) {
        if (!isPassing(error)) throw error;
        await clock.sleep(backoffMs(RETRY, attempt, random), signal).catch(() => undefined);
      }
    }
    return null;
  }

  return {
    first: (key, after) => db.asTenant(key.tenantId, readAbove({ key, after, list: listPage })),
    page: (key, after, signal) => patiently({ key, after, list: listPage }, signal),
    latest: (key, after, signal) => patiently({ key, after, list: listLatest }, signal),
  };
}

interface Reading {
  readonly key: JobKey;
  readonly after: number;
  readonly list: List;
}

/** Whether a read that failed so can succeed later, as it stands. */
function isPassing(error: unknown): boolean {
  return error instanceof DomainError && (error.code === 'UNAVAILABLE' || error.code === 'RATE_LIMITED');
}

const NOTHING: Page = { events: [], isFull: false, last: 0, isOver: true };

interface Found {
  readonly after: number;
  readonly head: EventHead;
  readonly rows: readonly EventRow[];
}

async function toPage(tx: Tx, key: JobKey, { after, head, rows }: Found): Promise<FirstPage> {
  const { tenantId, jobId } = key;
  return {
    events: await toEvents(tx, tenantId, { rows, totalStepsOf: () => head.totalSteps }),
    isFull: rows.length >= PAGE_EVENTS_MAX,
    last: rows.at(-1)?.sequence ?? (after === 0 ? 0 : await findLastSequence(tx, tenantId, jobId)),
    isOver: isFinal(head.state) && after >= head.lastSequence,
    lastGiven: head.lastSequence,
  };
}

interface Told {
  readonly rows: readonly EventRow[];
  readonly totalStepsOf: (jobId: Id<'job'>) => number;
}

/** The rows as events, those that tell of a picture with the picture. */
export async function toEvents(
  tx: Tx,
  tenantId: Id<'tenant'>,
  { rows, totalStepsOf }: Told,
): Promise<readonly JobEvent[]> {
  const jobIds = new Set(rows.filter((row) => row.imageId !== null).map((row) => row.jobId));
  const images = jobIds.size === 0 ? [] : await listImages(tx, tenantId, [...jobIds]);
  const imageOf = new Map<Id<'image'>, Image>(images.map((image) => [image.id, image]));
  return rows.map(({ imageId, ...row }) => ({
    ...row,
    totalSteps: totalStepsOf(row.jobId),
    image: imageId === null ? null : (imageOf.get(imageId) ?? null),
  }));
}

import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../../../test/support/manual-clock.ts';
import type { Id } from '../../../kernel/ids.ts';
import type { JobEvent, JobEventType } from '../event.ts';
import type { Feeds } from './feeds.ts';
import { createFeeds } from './feeds.ts';
import { followJob } from './follow.ts';
import type { FirstPage, JobKey, Page, Reads } from './read.ts';
import { createWaiters } from './waiters.ts';
import { WINDOW_EVENTS_MAX } from './window.ts';

const jobId = 'job_0' as Id<'job'>;
const mine: JobKey = { tenantId: 'ten_1' as Id<'tenant'>, jobId };
const theirs: JobKey = { tenantId: 'ten_2' as Id<'tenant'>, jobId };
const never = new AbortController().signal;

/** Events in memory, each tenant's apart, with a count of the pages that were read. */
function createLedger() {
  const clock = createManualClock();
  const written = new Map<string, readonly JobEvent[]>();
  const numbers = new Map<string, number>();
  const rings = new Set<(id: string | null) => void>();
  let pages = 0;
  const above = (key: JobKey, after: number): readonly JobEvent[] =>
    (written.get(key.tenantId) ?? []).filter(({ sequence }) => sequence > after);
  const toPage = (key: JobKey, events: readonly JobEvent[]): FirstPage => {
    pages += 1;
    const last = written.get(key.tenantId)?.at(-1)?.sequence ?? 0;
    return { events, isFull: false, last: events.at(-1)?.sequence ?? last, isOver: false, lastGiven: 1_000 };
  };
  const reads: Reads = {
    first: async (key, after) => toPage(key, above(key, after)),
    page: async (key, after) => toPage(key, above(key, after)),
    latest: async (key, after) => {
      const events = above(key, after);
      const step = events.findLast(({ type }) => type === 'STEP');
      return toPage(
        key,
        events.filter((each) => each.type !== 'STEP' || each === step),
      );
    },
  };
  const waiters = createWaiters(
    { onRing: (_, onRing) => (rings.add(onRing), () => void rings.delete(onRing)) },
    clock,
  );
  return {
    reads,
    feeds: createFeeds({ reads, waiters }),
    pages: () => pages,
    write(key: JobKey, ...types: JobEventType[]) {
      const given = numbers.get(key.tenantId) ?? 0;
      const events = types.map((type, index) => toEvent(given + index + 1, type));
      numbers.set(key.tenantId, given + events.length);
      written.set(key.tenantId, [...(written.get(key.tenantId) ?? []), ...events]);
    },
    lose: (key: JobKey) => void written.set(key.tenantId, []),
    ring: () => {
      for (const ring of rings) ring(jobId);
    },
  };
}

const toEvent = (sequence: number, type: JobEventType): JobEvent => {
  const nothing = { step: null, preview: null, image: null, error: null };
  return { jobId, sequence, type, at: new Date(0), totalSteps: 9, ...nothing };
};

async function follow({ reads, feeds }: { reads: Reads; feeds: Feeds }, key: JobKey, after = 0) {
  const page = await reads.first(key, after);
  return followJob({ reads, feeds }, { key, after, page: page as Page }, never);
}

async function take(events: AsyncGenerator<JobEvent, void>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value } = await events.next();
    if (!value) break;
    taken.push(`${value.sequence} ${value.type}`);
  }
  return taken;
}

describe('the feed of a job', () => {
  it('is read once per ring, however many follow', async () => {
    const ledger = createLedger();
    ledger.write(mine, 'QUEUED');
    const readers = await Promise.all(Array.from({ length: 100 }, () => follow(ledger, mine)));
    await Promise.all(readers.map((reader) => take(reader, 1)));
    const next = readers.map((reader) => take(reader, 2));
    await until(() => ledger.pages() === 101);
    ledger.write(mine, 'STARTED', 'STEP');
    ledger.ring();
    for (const events of await Promise.all(next)) expect(events).toEqual(['2 STARTED', '3 STEP']);
    // One for each reader's beginning, the feed's own first one, and that of the ring.
    expect(ledger.pages()).toBe(102);
  });

  it('is shared by nobody of another tenant, also when they name the same job', async () => {
    const ledger = createLedger();
    ledger.write(mine, 'QUEUED');
    ledger.write(theirs, 'QUEUED');
    const readers = [await follow(ledger, mine), await follow(ledger, theirs)];
    for (const reader of readers) expect(await take(reader, 1)).toEqual(['1 QUEUED']);
    const rest = readers.map((reader) => take(reader, 9));
    ledger.write(mine, 'STEP', 'CANCELLED');
    ledger.write(theirs, 'FAILED');
    ledger.ring();
    expect(await Promise.all(rest)).toEqual([['2 STEP', '3 CANCELLED'], ['2 FAILED']]);
  });

  it('loses and repeats nothing between the replay of a late reader and the feed', async () => {
    const ledger = createLedger();
    ledger.write(mine, 'QUEUED');
    const early = await follow(ledger, mine);
    await take(early, 1);
    void early.next();
    for (let round = 0; round < 20; round++) {
      const late = await follow(ledger, mine, round);
      // Between its first page and its joining.
      ledger.write(mine, 'STEP', 'STEP');
      ledger.ring();
      const numbers = (await take(late, round + 3)).map((each) => Number.parseInt(each, 10));
      expect(numbers).toEqual(Array.from({ length: round + 3 }, (_, index) => round + 1 + index));
      await late.return();
    }
  });

  it('tells a reader that it has left behind every state, the newest progress, and GAPs for the rest', async () => {
    const ledger = createLedger();
    ledger.write(mine, 'QUEUED');
    const [slow, quick] = [await follow(ledger, mine), await follow(ledger, mine)];
    await take(quick, 1);
    await take(slow, 1);
    for (let round = 0; round < WINDOW_EVENTS_MAX; round++) {
      const next = [take(quick, 2), round === 0 ? take(slow, 1) : null];
      ledger.write(mine, 'STEP', round === 5 ? 'REQUEUED' : 'STEP');
      ledger.ring();
      await Promise.all(next);
    }
    ledger.write(mine, 'COMPLETED');
    ledger.ring();
    expect(await take(quick, 9)).toEqual(['130 COMPLETED']);
    const rest = ['12 GAP', '13 REQUEUED', '128 GAP', '129 STEP', '130 COMPLETED'];
    expect(await take(slow, 99)).toEqual(rest);
  });

  it('ends with the job also for a reader that claims to have more than there is', async () => {
    const ledger = createLedger();
    ledger.write(mine, 'QUEUED');
    const ahead = await follow(ledger, mine, 20);
    const rest = take(ahead, 9);
    await until(() => ledger.pages() === 2);
    ledger.write(mine, 'CANCELLED');
    ledger.ring();
    expect(await rest).toEqual([]);
  });

  it('goes on when what it had told is gone from the database', async () => {
    const ledger = createLedger();
    ledger.write(mine, 'QUEUED', 'STEP', 'STEP');
    const early = await follow(ledger, mine);
    await take(early, 3);
    const next = take(early, 2);
    await until(() => ledger.pages() === 2);
    ledger.lose(mine);
    const late = await follow(ledger, mine, 1);
    const last = take(late, 9);
    await until(() => ledger.pages() >= 4);
    ledger.write(mine, 'STEP', 'FAILED');
    ledger.ring();
    expect(await next).toEqual(['4 STEP', '5 FAILED']);
    expect(await last).toEqual(['3 GAP', '4 STEP', '5 FAILED']);
  });

  it('passes on what it fails of, and begins anew for the next reader', async () => {
    const ledger = createLedger();
    ledger.write(mine, 'QUEUED');
    const { page } = ledger.reads;
    ledger.reads.page = () => Promise.reject(new Error('a fault of our own'));
    const readers = [await follow(ledger, mine), await follow(ledger, mine)];
    for (const reader of readers) await expect(take(reader, 2)).rejects.toThrow('a fault of our own');
    ledger.reads.page = page;
    const reader = await follow(ledger, mine);
    ledger.write(mine, 'FAILED');
    expect(await take(reader, 9)).toEqual(['1 QUEUED', '2 FAILED']);
  });
});

/** Lets what is under way go on until `isSo`. */
async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    if (turn > 1_000) throw new Error('It never came to that.');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

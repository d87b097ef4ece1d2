import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';
import type { TestSocket } from '../support/doors.ts';
import { greet, subscribe } from '../support/doors.ts';
import { createManualClock, moveUntil } from '../support/manual-clock.ts';
import type { ScriptedJob } from '../support/scripted-job.ts';
import { scriptJob } from '../support/scripted-job.ts';

const EVENTS = `subscription ($jobId: ID!, $after: Int) {
  jobEvents(jobId: $jobId, after: $after) { sequence type at step totalSteps preview }
}`;
const TERMINAL = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

interface Told {
  readonly sequence: number;
  readonly type: string;
  readonly preview: string | null;
}

let database: TestDatabase;
// Two API processes on one database: whoever is asked must not matter.
let apps: readonly [TestApp, TestApp];
let tenant: TestTenant;

beforeAll(async () => {
  database = await createDatabase();
  apps = [await startApp({ database }), await startApp({ database })];
  tenant = await apps[0].createTenant();
});

afterAll(async () => {
  for (const app of apps) await app[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const socketOf = ({ app }: TestApp, { apiKey }: TestTenant = tenant) =>
  greet(app.api.wsUrl, `Bearer ${apiKey}`);

/** The next event of any subscription of the socket; anything else that is said is a fault. */
async function nextOf(client: TestSocket): Promise<Told> {
  const { payload } = await client.next();
  const { data } = payload as { data?: { jobEvents: Told } };
  if (!data) throw new Error(`Told ${JSON.stringify(payload)}.`);
  return data.jobEvents;
}

const isOver = (told: readonly Told[]) => TERMINAL.has(told.at(-1)?.type ?? '');

/** Reads one subscription to its end. */
async function readAll(client: TestSocket, jobId: string, after: number | null = null): Promise<Told[]> {
  subscribe(client, EVENTS, { jobId, after });
  const told: Told[] = [];
  do told.push(await nextOf(client));
  while (!isOver(told));
  return told;
}

/** Writes until it is told to stop, and ends the job then. */
async function keepWriting(job: ScriptedJob, isEnough: () => boolean): Promise<void> {
  for (let round = 0; !isEnough(); round++) {
    await job.write([{ type: 'STEP' }, ...(round % 7 === 0 ? [{ type: 'PREVIEW' } as const] : [])]);
    if (round % 20 === 0) await job.write([{ type: 'REQUEUED' }, { type: 'STARTED' }]);
  }
  await job.cancel();
}

const brief = (told: readonly Told[]) => told.map(({ sequence, type }) => ({ sequence, type }));

describe('events', () => {
  it('reach a client that reconnects a hundred times, now here and now there, each once and in order', async () => {
    const job = await scriptJob(apps[0], tenant);
    const seen: Told[] = [];
    let connections = 0;
    const writing = keepWriting(job, () => connections >= 100);
    while (!isOver(seen)) {
      await using client = await socketOf(connections % 3 === 0 ? apps[0] : apps[1]);
      connections += 1;
      subscribe(client, EVENTS, { jobId: job.id, after: seen.at(-1)?.sequence ?? null });
      // A few events, and sometimes none: the socket goes while the next ones are on their way.
      for (let left = (connections * 7) % 5; left > 0 && !isOver(seen); left--) {
        seen.push(await nextOf(client));
      }
    }
    await writing;
    expect(connections).toBeGreaterThanOrEqual(100);
    expect(brief(seen)).toEqual(await job.written());
    expect(seen.map(({ sequence }) => sequence)).toEqual(seen.map((_, index) => index + 1));
  });

  it('are the same from two processes, also for who comes late and for who asks afterwards', async () => {
    const job = await scriptJob(apps[0], tenant);
    await using early = await socketOf(apps[0]);
    await using other = await socketOf(apps[1]);
    await using late = await socketOf(apps[1]);
    await using last = await socketOf(apps[0]);
    const following = [readAll(early, job.id), readAll(other, job.id)];
    let rounds = 0;
    const writing = keepWriting(job, () => rounds >= 2);
    while ((await job.written()).length < 150);
    following.push(readAll(late, job.id));
    rounds += 1;
    while ((await job.written()).length < 200);
    rounds += 1;
    await writing;
    const [first, ...others] = await Promise.all(following);
    expect(brief(first ?? [])).toEqual(await job.written());
    for (const each of [...others, await readAll(last, job.id)]) expect(each).toEqual(first);
  });

  it('reach three hundred subscribers of one job, with ten connections to the database', async () => {
    const job = await scriptJob(apps[0], tenant);
    await using stack = new AsyncDisposableStack();
    const clients = await Promise.all(Array.from({ length: 3 }, () => socketOf(apps[0])));
    for (const client of clients) stack.use(client);
    for (const client of clients) {
      for (let id = 0; id < 100; id++) subscribe(client, EVENTS, { jobId: job.id }, String(id));
    }
    for (const client of clients) for (let count = 0; count < 100; count++) await nextOf(client);
    for (let round = 0; round < 10; round++) await job.write([{ type: 'STEP' }, { type: 'PREVIEW' }]);
    const types: string[] = [];
    for (const client of clients) {
      for (let count = 0; count < 2_000; count++) types.push((await nextOf(client)).type);
    }
    expect(types.filter((type) => type === 'GAP')).toEqual([]);
    expect(types.filter((type) => type === 'PREVIEW')).toHaveLength(3_000);
  });

  it('of a job go to nobody of another tenant, whose subscription shares nothing with its owner', async () => {
    const job = await scriptJob(apps[0], tenant);
    const stranger = await apps[0].createTenant();
    await using own = await socketOf(apps[0]);
    subscribe(own, EVENTS, { jobId: job.id });
    await nextOf(own);
    await using foreign = await socketOf(apps[0], stranger);
    subscribe(foreign, EVENTS, { jobId: job.id });
    expect(await foreign.next()).toMatchObject({
      payload: { errors: [{ extensions: { code: 'NOT_FOUND' } }] },
    });
    expect(await foreign.next()).toEqual({ type: 'complete', id: '1' });
    await job.write([{ type: 'STARTED' }]);
    expect(await nextOf(own)).toMatchObject({ type: 'STARTED' });
    foreign.send({ type: 'ping' });
    expect(await foreign.next()).toEqual({ type: 'pong' });
  });
});

describe('a client that stops reading', () => {
  const STREAMS = 100;
  const PREVIEW_CHARS = 16_000;
  const round = [
    { type: 'STEP' },
    { type: 'PREVIEW', previewChars: PREVIEW_CHARS },
    { type: 'STEP' },
  ] as const;

  /** Opens many streams, stops reading, and writes until the server has to keep what is unread. */
  async function fillSocket({ app }: TestApp, job: ScriptedJob, client: TestSocket): Promise<void> {
    for (let id = 0; id < STREAMS; id++) subscribe(client, EVENTS, { jobId: job.id }, String(id));
    for (let id = 0; id < STREAMS; id++) await nextOf(client);
    client.socket.pause();
    // The kernels on the way take some megabytes before anything is left to the server.
    while (app.api.figures().socketBufferBytesMax < 256 * 1024) await job.write(round);
    let delivered = -1;
    const isStill = () => delivered === (delivered = app.api.figures().eventsDelivered);
    await expect.poll(isStill, { interval: 100 }).toBe(true);
  }

  it('costs a megabyte at most, misses no state, and resumes with the latest progress', async () => {
    const [, app] = apps;
    const job = await scriptJob(app, tenant);
    await using client = await socketOf(app);
    await fillSocket(app, job, client);
    for (let count = 0; count < 10; count++) await job.write([...round, { type: 'REQUEUED' }, ...round]);
    for (let count = 0; count < 10; count++) await job.write([...round, { type: 'STARTED' }, ...round]);
    await job.write([{ type: 'PREVIEW', previewChars: 7 }, { type: 'STEP' }]);
    const written = await job.written();
    client.socket.resume();
    const newest = written.at(-1)?.sequence ?? 0;
    const told = await readStreams(client, { streams: STREAMS, until: newest });
    expect(app.app.api.figures().socketBufferBytesMax).toBeLessThanOrEqual(1024 * 1024);
    const states = brief(written as Told[]).filter(({ type }) => type !== 'STEP' && type !== 'PREVIEW');
    for (const stream of told) {
      const numbers = stream.map(({ sequence }) => sequence);
      expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
      expect(brief(stream).filter(({ type }) => !['STEP', 'PREVIEW', 'GAP'].includes(type))).toEqual(
        states.slice(1),
      );
      expect(stream.at(-2)).toMatchObject({ type: 'PREVIEW', sequence: newest - 1 });
      expect(stream.length).toBeLessThan(written.length);
      expectHolesToBeTold(stream);
    }
    await job.cancel();
  });

  it('is closed with 1013 when it takes nothing for ten seconds, and let go', async () => {
    const clock = createManualClock(systemClock.nowMs());
    await using app = await startApp({}, { clock });
    await using _end = { [Symbol.asyncDispose]: () => moveUntil(clock, app[Symbol.asyncDispose]()) };
    const own = await app.createTenant();
    const job = await scriptJob(app, own);
    await using client = await socketOf(app, own);
    await fillSocket(app, job, client);
    // The first look finds that something left since the socket was opened, the second that nothing did.
    for (let look = 0; look < 2; look++) {
      clock.advance(10_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.socket.resume();
    expect(await client.closed).toBe(1013);
    await expect.poll(() => app.app.api.figures().sockets).toBe(0);
  });
});

/** What each of the socket's streams is told, from now on until the event of that number. */
async function readStreams(
  client: TestSocket,
  { streams, until }: { readonly streams: number; readonly until: number },
): Promise<readonly (readonly Told[])[]> {
  const told = new Map<string, Told[]>();
  for (let ended = 0; ended < streams;) {
    const { id = '', payload } = await client.next();
    const { data } = payload as { data: { jobEvents: Told } };
    told.set(id, [...(told.get(id) ?? []), data.jobEvents]);
    if (data.jobEvents.sequence === until) ended += 1;
  }
  return [...told.values()];
}

function expectHolesToBeTold(told: readonly Told[]): void {
  let last = 1;
  for (const { sequence, type } of told) {
    if (type !== 'GAP') expect(sequence).toBe(last + 1);
    last = sequence;
  }
  expect(told.some(({ type }) => type === 'GAP')).toBe(true);
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FinishedRun } from '../../src/domains/generation/index.ts';
import { createCompletion } from '../../src/domains/generation/index.ts';
import type { ClaimedJob } from '../../src/domains/scheduling/index.ts';
import { createScheduling, reap, RECOVERIES_MAX } from '../../src/domains/scheduling/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { unarmed } from '../../src/kernel/fault-points.ts';
import type { Id } from '../../src/kernel/ids.ts';
import { createIds } from '../../src/kernel/ids.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { connect } from '../../src/platform/db/connect.ts';
import { openDb } from '../../src/platform/db/index.ts';
import { MIGRATIONS_DIRECTORY } from '../../src/platform/db/migrations.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';
import { QUICK } from '../support/jobs.ts';

const newId = createIds(systemClock, systemRandom);
const silentBell = { ring: async () => true };
const LEASE_MS = 60_000;
const SOON = { timeout: 20_000 };

let database: TestDatabase;
let app: TestApp;
let tenant: TestTenant;
let stack: AsyncDisposableStack;
let scheduling: ReturnType<typeof createScheduling>;
let completion: ReturnType<typeof createCompletion>;
let reaper: Parameters<typeof reap>[0];

// Jobs come in through the API; no node is registered and the platform's own reaper rests, so that
// the tests alone claim and reap them.
beforeAll(async () => {
  stack = new AsyncDisposableStack();
  database = stack.use(await createDatabase());
  app = stack.use(await startApp({ database }, { background: { reapEveryMs: 3_600_000 } }));
  tenant = await app.createTenant({ credits: 1_000_000 });
  const open = (url: string) =>
    stack.adopt(openDb({ url, poolMax: 8, applicationName: 'darkroom test' }), (db) => db.$disconnect());
  const dispatcherDb = open(database.urls.dispatcher);
  scheduling = createScheduling({ dispatcherDb, bell: silentBell, newId });
  completion = createCompletion({ dispatcherDb, bell: silentBell, newId, reach: unarmed });
  reaper = { systemDb: open(database.urls.system), bell: silentBell, newId, leaseGraceMs: 0 };
});

afterAll(() => stack.disposeAsync());

beforeEach(async () => {
  // Whatever a test left behind is ended, so that each starts with an empty queue.
  await app.sql(`update job set state = 'CANCELLED', holder = null, lease_until = null, finished_at = now()
    where state in ('QUEUED', 'RUNNING')`);
});

const PARTS = ['text_encoder', 'unet', 'unet_cfg', 'vae_decoder'];

const submit = () => tenant.client.submitJob(QUICK);
const claim = (rows = 1, holder = newId('dispatcher')) =>
  scheduling.claim({ holder, engineKey: 'pico:1', parts: PARTS, rows, leaseMs: LEASE_MS });

async function claimOne(): Promise<ClaimedJob> {
  const [job] = await claim();
  if (!job) throw new Error('nothing was claimed');
  return job;
}

const expire = (id: string) =>
  app.sql(`update job set lease_until = now() - interval '1 s' where id = $1`, [id]);

async function rowOf(id: string) {
  const [row] = await app.sql<{
    state: string;
    fence: number;
    recoveries: number;
    attempts: number;
    last_sequence: number;
  }>('select state, fence, recoveries, attempts, last_sequence from job where id = $1', [id]);
  return row;
}

const runOf = (job: ClaimedJob): FinishedRun => ({
  tenantId: job.tenantId,
  jobId: job.id,
  fence: job.fence,
  step: 4,
  pending: [],
  nextSequence: job.nextSequence,
});

describe('claiming', () => {
  it('gives every job to exactly one of many claimers, the oldest first', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 12; index += 1) ids.push((await submit()).id);
    const [oldest] = await claim();
    expect(oldest?.id).toBe(ids[0]);
    const claimed = (await Promise.all(Array.from({ length: 8 }, () => claim(3)))).flat();
    expect(claimed.map((job) => job.id).toSorted()).toEqual(ids.slice(1).toSorted());
    expect(await claim()).toEqual([]);
  });

  it('takes only what the engines serve', async () => {
    await submit();
    const request = { holder: newId('dispatcher'), parts: PARTS, rows: 5, leaseMs: LEASE_MS };
    expect(await scheduling.claim({ ...request, engineKey: 'pico:2' })).toEqual([]);
  });

  it('leaves a job alone that may not run before a time', async () => {
    const { id } = await submit();
    await app.sql(`update job set not_before = now() + interval '1 hour' where id = $1`, [id]);
    expect(await claim()).toEqual([]);
  });
});

describe('a job whose recipe cannot be read', () => {
  it.each([
    ['a picture count beyond all numbers', '{settings,imageCount}', '1e300'],
    ['a picture count below zero', '{settings,imageCount}', '-4.5'],
    ['no settings', '{settings}', 'null'],
    ['a seed that is no number', '{settings,seed}', '"x"'],
  ])('(%s) fails uncharged, and the queue behind it moves', async (_, path, value) => {
    const { id } = await submit();
    const next = await submit();
    await app.sql(`update job set recipe = jsonb_set(recipe, $2::text[], $3::jsonb) where id = $1`, [
      id,
      path,
      value,
    ]);

    expect([...(await claim(2)), ...(await claim(2))]).toMatchObject([{ id: next.id }]);
    expect(await rowOf(id)).toMatchObject({ state: 'FAILED' });
    expect(await app.sql('select credits from usage_entry where job_id = $1', [id])).toEqual([
      { credits: 0 },
    ]);
    expect(await app.sql('select 1 from reservation where job_id = $1 and settled_at is null', [id])).toEqual(
      [],
    );
  });
});

describe('a holder that is no longer the holder', () => {
  it('writes nothing: no state, no progress, no picture, no charge', async () => {
    await submit();
    const zombie = await claimOne();
    await expire(zombie.id);
    expect(await reap(reaper)).toEqual({ id: zombie.id, state: 'QUEUED' });
    const heir = await claimOne();
    expect(heir.fence).toBeGreaterThan(zombie.fence);

    const { tenantId, id, fence, nextSequence } = zombie;
    await scheduling.progress([
      { tenantId, jobId: id, fence, sequence: nextSequence, type: 'STEP', step: 3, preview: null },
    ]);
    expect(await app.sql('select 1 from job_progress where job_id = $1', [id])).toEqual([]);
    expect(await scheduling.renew([{ tenantId, id, fence, step: 3, usedSequence: 5 }], LEASE_MS)).toEqual([]);
    expect(await scheduling.release({ ...runOf(zombie), id, counts: 'ATTEMPT', delayMs: 0 })).toBe(false);
    expect(await completion.complete(runOf(zombie), { state: 'SUCCEEDED', images: [], credits: 4 })).toBe(
      false,
    );
    expect(await app.sql('select 1 from usage_entry where job_id = $1', [id])).toEqual([]);

    expect(await completion.complete(runOf(heir), { state: 'SUCCEEDED', images: [], credits: 4 })).toBe(true);
    expect(
      await completion.complete(runOf(heir), {
        state: 'FAILED',
        error: { code: 'INTERNAL', message: 'x' },
        credits: 0,
      }),
    ).toBe(false);
    expect(await app.sql('select credits from usage_entry where job_id = $1', [id])).toEqual([
      { credits: -4 },
    ]);
    expect(await rowOf(id)).toMatchObject({ state: 'SUCCEEDED', recoveries: 1, attempts: 0 });
  });
});

describe('the reaper', () => {
  it('leaves a job alone whose lease runs', async () => {
    await submit();
    const job = await claimOne();
    expect(await reap(reaper)).toBeNull();
    expect(
      await scheduling.renew([{ ...job, step: 2, usedSequence: job.nextSequence }], LEASE_MS),
    ).toMatchObject([{ id: job.id, isCancelRequested: false }]);
  });

  it('turns an orphan that its tenant cancelled into CANCELLED, and charges the steps that ran', async () => {
    const { id } = await submit();
    const job = await claimOne();
    await tenant.client.cancelJob(id);
    await scheduling.renew([{ ...job, step: 3, usedSequence: job.nextSequence }], LEASE_MS);
    await expire(id);
    expect(await reap(reaper)).toEqual({ id, state: 'CANCELLED' });
    expect(await app.sql('select credits from usage_entry where job_id = $1', [id])).toEqual([
      { credits: -3 },
    ]);
    expect(await tenant.client.job(id)).toMatchObject({ state: 'CANCELLED', credits: 3 });
  });

  it('gives up on a job that outlived too many dispatchers, uncharged', async () => {
    const { id } = await submit();
    await claimOne();
    await app.sql('update job set recoveries = $2 where id = $1', [id, RECOVERIES_MAX]);
    await expire(id);
    expect(await reap(reaper)).toEqual({ id, state: 'FAILED' });
    expect(await tenant.client.job(id)).toMatchObject({
      state: 'FAILED',
      error: { code: 'POISONED' },
      credits: 0,
    });
    expect(await app.sql('select credits from usage_entry where job_id = $1', [id])).toEqual([
      { credits: 0 },
    ]);
  });

  it('takes each orphan once, however many reapers there are', async () => {
    const jobs = await Promise.all([submit(), submit(), submit()]);
    for (const { id } of jobs) {
      await claim();
      await expire(id);
    }
    await app.sql(`update job set lease_until = now() - interval '1 s' where state = 'RUNNING'`);
    const reaped = await Promise.all(Array.from({ length: 6 }, () => reap(reaper)));
    expect(reaped.filter((each) => each !== null)).toHaveLength(3);
    for (const { id } of jobs) expect(await rowOf(id)).toMatchObject({ state: 'QUEUED', recoveries: 1 });
  });
});

describe('a job that was cancelled when its holder gives it back', () => {
  const hold = async () => {
    const holder = newId('dispatcher');
    await submit();
    const [job] = await claim(1, holder);
    if (!job) throw new Error('nothing was claimed');
    return { holder, job };
  };
  type Held = Awaited<ReturnType<typeof hold>>;
  const release = ({ job }: Held) =>
    scheduling.release({ ...runOf(job), id: job.id, step: 3, counts: 'ATTEMPT', delayMs: 60_000 });
  const abandon = ({ holder }: Held) => scheduling.abandon(holder);

  it.each([
    ['and is charged for the steps that ran', release, 3],
    ['and for those last reported when the holder has no time to say more', abandon, 2],
  ])('ends there, %s', async (_, giveBack, credits) => {
    const held = await hold();
    const { job } = held;
    await scheduling.renew([{ ...job, step: 2, usedSequence: job.nextSequence }], LEASE_MS);
    await tenant.client.cancelJob(job.id);
    await giveBack(held);
    expect(await tenant.client.job(job.id)).toMatchObject({ state: 'CANCELLED', credits });
    expect(await app.sql('select credits from usage_entry where job_id = $1', [job.id])).toEqual([
      { credits: -credits },
    ]);
    expect(await reap(reaper)).toBeNull();
    const types = (await Array.fromAsync(tenant.client.followJob(job.id))).map(({ type }) => type);
    expect(types.filter((type) => type !== 'GAP')).toEqual(['QUEUED', 'STARTED', 'CANCELLED']);
  });

  it.each([
    ['is given back', release],
    ['is abandoned', abandon],
  ])('ends also when the cancel is being written while it %s', async (_, giveBack) => {
    const held = await hold();
    const { id } = held.job;
    await using canceller = await connect({ url: database.adminUrl, applicationName: 'test' });
    await canceller.query('begin');
    await canceller.query('update job set cancel_requested_at = now() where id = $1', [id]);
    const given = giveBack(held);
    const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await expect.poll(() => app.sql(waiting), SOON).not.toEqual([]);
    await canceller.query('commit');
    await given;
    expect(await rowOf(id)).toMatchObject({ state: 'CANCELLED' });
  });

  it('is ended by the reaper when an earlier release had put it into the queue', async () => {
    const { id } = await submit();
    await app.sql('alter table job drop constraint job_not_cancelled');
    await app.sql('update job set cancel_requested_at = now() where id = $1', [id]);
    const file = join(MIGRATIONS_DIRECTORY, '20261128050000_cancel_before_queue', 'migration.sql');
    await app.sql(await readFile(file, 'utf8'));

    expect(await reap(reaper)).toEqual({ id, state: 'CANCELLED' });
    expect(await tenant.client.job(id)).toMatchObject({ state: 'CANCELLED', credits: 0 });
    const open = 'select 1 from reservation where job_id = $1 and settled_at is null';
    expect(await app.sql(open, [id])).toEqual([]);
  });

  it('cannot be put into the queue by anybody', async () => {
    const { job } = await hold();
    await tenant.client.cancelJob(job.id);
    const requeue = app.sql(
      `update job set state = 'QUEUED', holder = null, lease_until = null where id = $1`,
      [job.id],
    );
    await expect(requeue).rejects.toThrow('job_not_cancelled');
  });
});

describe('giving back', () => {
  it('makes the job claimable at once and counts an attempt only when an engine failed it, and a recovery when one went away', async () => {
    const { id } = await submit();
    const first = await claimOne();
    expect(await scheduling.release({ ...runOf(first), id: first.id, counts: null, delayMs: 0 })).toBe(true);
    expect(await rowOf(id)).toMatchObject({ state: 'QUEUED', attempts: 0, recoveries: 0 });
    const second = await claimOne();
    expect(
      await scheduling.release({ ...runOf(second), id: second.id, counts: 'ATTEMPT', delayMs: 60_000 }),
    ).toBe(true);
    expect(await rowOf(id)).toMatchObject({ state: 'QUEUED', attempts: 1, recoveries: 0 });
    expect(await claim()).toEqual([]);
    await app.sql('update job set not_before = null where id = $1', [id]);
    const third = await claimOne();
    expect(third).toMatchObject({ attempts: 1, recoveries: 0 });
    await scheduling.release({ ...runOf(third), id: third.id, counts: 'RECOVERY', delayMs: 0 });
    expect(await claimOne()).toMatchObject({ attempts: 1, recoveries: 1 });
  });

  it('leaves no hole in the numbers of the events', async () => {
    const { id } = await submit();
    const first = await claimOne();
    const pending = [
      {
        tenantId: first.tenantId,
        jobId: first.id,
        fence: first.fence,
        sequence: first.nextSequence,
        type: 'STEP' as const,
        step: 1,
        preview: null,
      },
    ];
    await scheduling.release({
      ...runOf(first),
      id: first.id,
      pending,
      nextSequence: first.nextSequence + 1,
      counts: null,
      delayMs: 0,
    });
    const second = await claimOne();
    await completion.complete(runOf(second), { state: 'SUCCEEDED', images: [], credits: 4 });
    const events = await Array.fromAsync(tenant.client.followJob(id));
    expect(events.map(({ sequence, type }) => `${sequence} ${type}`)).toEqual([
      '1 QUEUED',
      '2 STARTED',
      '3 STEP',
      '4 REQUEUED',
      '5 STARTED',
      '6 COMPLETED',
    ]);
  });

  it('shows numbers that a dead holder took with it as a GAP', async () => {
    const { id } = await submit();
    const orphan = await claimOne();
    await expire(orphan.id);
    await reap(reaper);
    const heir = await claimOne();
    await completion.complete(runOf(heir), { state: 'SUCCEEDED', images: [], credits: 4 });
    const types = (await Array.fromAsync(tenant.client.followJob(id))).map((event) => event.type);
    expect(types).toEqual(['QUEUED', 'STARTED', 'GAP', 'REQUEUED', 'STARTED', 'COMPLETED']);
  });
});

describe('money', () => {
  it('adds up: the ledger is the sum of what ended, and nothing ended is still held', async () => {
    const holder: Id<'dispatcher'> = newId('dispatcher');
    await Promise.all(Array.from({ length: 6 }, submit));
    const jobs = await claim(6, holder);
    const outcomes = [
      { state: 'SUCCEEDED', images: [], credits: 4 },
      { state: 'CANCELLED', credits: 2 },
      { state: 'FAILED', error: { code: 'INTERNAL', message: 'x' }, credits: 0 },
    ] as const;
    for (const [index, job] of jobs.entries()) {
      const outcome = outcomes[index % outcomes.length];
      if (outcome) expect(await completion.complete(runOf(job), outcome)).toBe(true);
    }
    const faults = await app.sql(
      `
      select job.id from job
      left join usage_entry on usage_entry.tenant_id = job.tenant_id and usage_entry.job_id = job.id
      left join reservation on reservation.tenant_id = job.tenant_id and reservation.job_id = job.id
      where job.id = any ($1)
        and (-usage_entry.credits is distinct from job.credits or reservation.settled_at is null)`,
      [jobs.map((job) => job.id)],
    );
    expect(faults).toEqual([]);
  });
});

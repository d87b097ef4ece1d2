import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect } from '../../src/platform/db/connect.ts';
import type { JobEvent } from '../../src/client/index.ts';
import { createClient } from '../../src/client/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { createDatabase } from '../support/database.ts';
import { greet, subscribe } from '../support/doors.ts';
import { eventsOf } from '../support/jobs.ts';
import type { OwnPostgres } from '../support/own-postgres.ts';
import { startOwnPostgres } from '../support/own-postgres.ts';
import type { ScriptedEvent, ScriptedJob } from '../support/scripted-job.ts';
import { scriptJob } from '../support/scripted-job.ts';

const EVENTS = 'subscription ($jobId: ID!) { jobEvents(jobId: $jobId) { sequence type } }';
const SOON = { timeout: 20_000 };

/** Follows a job from its beginning and keeps what it is told. */
function follow({ client }: Pick<TestTenant, 'client'>, jobId: string) {
  const told: JobEvent[] = [];
  const ended = (async () => {
    for await (const event of client.followJob(jobId)) told.push(event);
  })();
  // Looked at where it is awaited; a failure before that is no reason to end the process.
  ended.catch(() => undefined);
  return { told, ended };
}

/** Waits until the API says so, and long enough for every stream to have looked for news itself. */
async function waitUntilMissed(app: TestApp, tenant: TestTenant): Promise<void> {
  const sinceMs = systemClock.monotonicMs();
  const codeNow = async () =>
    (await app.request(tenant, '{ viewer { balanceCredits } }')).errors[0]?.extensions['code'];
  await expect.poll(codeNow, SOON).toBe('UNAVAILABLE');
  await expect.poll(() => systemClock.monotonicMs() - sinceMs, SOON).toBeGreaterThan(1_500);
}

/** Connections that died are found out one by one. */
const writePatiently = (job: ScriptedJob, events: readonly ScriptedEvent[]) =>
  vi.waitFor(() => job.write(events), SOON);

const brief = (told: readonly JobEvent[]) => told.map(({ sequence, type }) => ({ sequence, type }));

describe('a database that goes away', () => {
  let postgres: OwnPostgres;
  let app: TestApp;
  let tenant: TestTenant;

  beforeAll(async () => {
    postgres = await startOwnPostgres();
    app = await startApp({ database: postgres.database });
    tenant = await app.createTenant();
  });

  afterAll(async () => {
    await app[Symbol.asyncDispose]();
    await postgres[Symbol.asyncDispose]();
  });

  it.each([
    ['is killed', () => postgres.kill()],
    ['is stopped and started', () => postgres.stop()],
  ])('and %s ends no stream: on the same socket it goes on without loss or repetition', async (_, end) => {
    const job = await scriptJob(app, tenant);
    await using client = await greet(app.app.api.wsUrl, `Bearer ${tenant.apiKey}`);
    const told: unknown[] = [];
    const take = async () => {
      const { type, payload } = await client.next();
      if (type !== 'next') throw new Error(`Told ${type}.`);
      told.push((payload as { data: { jobEvents: unknown } }).data.jobEvents);
    };
    subscribe(client, EVENTS, { jobId: job.id });
    await job.write([{ type: 'STARTED' }, { type: 'STEP' }]);
    for (let count = 0; count < 3; count++) await take();
    await end();
    const next = take();
    await waitUntilMissed(app, tenant);
    await postgres.start();
    await writePatiently(job, [{ type: 'REQUEUED' }]);
    await next;
    await vi.waitFor(() => job.cancel(), SOON);
    await take();
    expect(told).toEqual([
      { sequence: 1, type: 'QUEUED' },
      { sequence: 2, type: 'STARTED' },
      { sequence: 3, type: 'STEP' },
      { sequence: 4, type: 'REQUEUED' },
      { sequence: 5, type: 'CANCELLED' },
    ]);
    expect(await client.next()).toEqual({ type: 'complete', id: '1' });
  });

  it('is told as UNAVAILABLE to who begins meanwhile, and a client waits for it by itself', async () => {
    const job = await scriptJob(app, tenant);
    await using client = await greet(app.app.api.wsUrl, `Bearer ${tenant.apiKey}`);
    await postgres.kill();
    subscribe(client, EVENTS, { jobId: job.id });
    expect(await client.next()).toMatchObject({
      payload: { errors: [{ extensions: { code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) } }] },
    });
    const { told, ended } = follow(tenant, job.id);
    await postgres.start();
    await expect.poll(() => told.length, SOON).toBe(1);
    await writePatiently(job, [{ type: 'REQUEUED' }]);
    await vi.waitFor(() => job.cancel(), SOON);
    await ended;
    expect(brief(told).map(({ type }) => type)).toEqual(['QUEUED', 'REQUEUED', 'CANCELLED']);
  });
});

describe('an API', () => {
  it('that stops and starts again on its port loses its clients nothing', async () => {
    await using database = await createDatabase();
    await using admin = await connect({ url: database.adminUrl, applicationName: 'test' });
    let app = await startApp({ database });
    const port = Number(new URL(app.api).port);
    const tenant = await app.createTenant();
    // On a connection of its own, which outlives the app.
    const job = await scriptJob({ sql: admin.query }, tenant);
    const raw = await greet(app.app.api.wsUrl, `Bearer ${tenant.apiKey}`);
    const following = Array.from({ length: 5 }, () => follow(tenant, job.id));
    for (let round = 0; round < 3; round++) {
      await job.write([{ type: 'STEP' }, { type: 'PREVIEW' }, { type: 'STEP' }]);
      const last = (await job.written()).length;
      for (const { told } of following) await expect.poll(() => told.length, SOON).toBe(last);
      await app[Symbol.asyncDispose]();
      if (round === 0) expect(await raw.closed).toBe(1001);
      app = await startApp({ database, port });
      await job.write([{ type: 'REQUEUED' }, { type: 'STARTED' }]);
    }
    await job.cancel();
    for (const { told, ended } of following) {
      await ended;
      expect(brief(told)).toEqual(await job.written());
    }
    await app[Symbol.asyncDispose]();
  });

  it.each([
    ['a key is revoked', 'update api_key set revoked_at = now() where tenant_id = $1'],
    ['a tenant is suspended', `update tenant set state = 'SUSPENDED' where id = $1`],
  ])('closes the live sockets within five seconds when %s: 4403', async (_, sql) => {
    await using app = await startApp();
    const [tenant, other] = [await app.createTenant(), await app.createTenant()];
    const job = await scriptJob(app, tenant);
    await using client = await greet(app.app.api.wsUrl, `Bearer ${tenant.apiKey}`);
    await using bystander = await greet(app.app.api.wsUrl, `Bearer ${other.apiKey}`);
    subscribe(client, EVENTS, { jobId: job.id });
    await client.next();
    await app.sql(sql, [tenant.id]);
    const revokedMs = systemClock.monotonicMs();
    expect(await client.closed).toBe(4403);
    expect(systemClock.monotonicMs() - revokedMs).toBeLessThan(5_000);
    expect(bystander.socket.readyState).toBe(bystander.socket.OPEN);
    const again = createClient({ api: app.api, apiKey: tenant.apiKey });
    await expect(eventsOf({ ...tenant, client: again }, job.id)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });
});

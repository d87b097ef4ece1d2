import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startBackground } from '../../src/background/index.ts';
import { seedPlatformVariants } from '../../src/domains/catalog/index.ts';
import { createScheduling, reap, trimHistory } from '../../src/domains/scheduling/index.ts';
import { firstTenant } from '../../src/cli/first-tenant.ts';
import { onboardingOn } from '../../src/app/operator.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Id } from '../../src/kernel/ids.ts';
import { createIds } from '../../src/kernel/ids.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { Db } from '../../src/platform/db/index.ts';
import { openDb } from '../../src/platform/db/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { createDatabase } from '../support/database.ts';
import { QUICK } from '../support/jobs.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { openPico } from '../support/node.ts';
import { silentLog } from '../support/silent-log.ts';

const newId = createIds(systemClock, systemRandom);
const silentBell = { ring: async () => true };
const SOON = { timeout: 20_000, interval: 20 };

const stack = new AsyncDisposableStack();
let app: TestApp;
let tenant: TestTenant;
let systemDb: Db;
let scheduling: ReturnType<typeof createScheduling>;

const open = (url: string) =>
  stack.adopt(openDb({ url, poolMax: 8, applicationName: 'darkroom test' }), (db) => db.$disconnect());

beforeAll(async () => {
  const database = stack.use(await createDatabase());
  app = stack.use(await startApp({ database }, { background: { reapEveryMs: 3_600_000 } }));
  tenant = await app.createTenant({ credits: 1_000_000 });
  systemDb = open(database.urls.system);
  scheduling = createScheduling({ dispatcherDb: open(database.urls.dispatcher), bell: silentBell, newId });
});

afterAll(() => stack.disposeAsync());

beforeEach(async () => {
  await app.sql(`update job set state = 'CANCELLED', holder = null, lease_until = null, finished_at = now()
    where state in ('QUEUED', 'RUNNING')`);
});

async function submitAndClaim(count: number, holder = newId('dispatcher')): Promise<readonly string[]> {
  for (let index = 0; index < count; index += 1) await tenant.client.submitJob(QUICK);
  const parts = ['text_encoder', 'unet_cfg', 'vae_decoder'];
  const jobs = await scheduling.claim({ holder, engineKey: 'pico:1', parts, rows: count, leaseMs: 60_000 });
  return jobs.map(({ id }) => id);
}

const statesOf = async (ids: readonly string[]) =>
  (await app.sql<{ state: string }>('select state from job where id = any($1) order by id', [ids])).map(
    ({ state }) => state,
  );

const openBackground = (warnings: object[] = [], changes: object = {}) =>
  startBackground({
    systemDb,
    bell: silentBell,
    newId,
    clock: systemClock,
    settings: { reapEveryMs: 20, leaseGraceMs: 0, trimEveryMs: 3_600_000 },
    logger: {
      ...silentLog,
      warn: (fields) => void warnings.push(fields),
      failed: (_, fields) => warnings.push(fields) > 0,
    },
    ...changes,
  });

/** A clock of the background's two loops, which moves only while both of them sleep. */
function createSleepyClock() {
  const clock = createManualClock();
  let asleep = 0;
  const untilAsleep = () => expect.poll(() => asleep, SOON).toBe(2);
  return {
    ...clock,
    sleep(delayMs: number, signal?: AbortSignal) {
      asleep += 1;
      return clock.sleep(delayMs, signal).finally(() => {
        asleep -= 1;
      });
    },
    async pass(ms: number) {
      await untilAsleep();
      clock.advance(ms);
      await new Promise((resolve) => void setImmediate(resolve));
      await untilAsleep();
    },
  };
}

/** The reaper's database, which is away while a test says so. */
function openFlakyDb() {
  const state = { isAway: false };
  const db = new Proxy(systemDb, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name !== '$transaction' && name !== '$queryRaw') return value;
      return async (...args: unknown[]) => {
        if (state.isAway) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
        return Reflect.apply(value as (...given: unknown[]) => unknown, target, args) as unknown;
      };
    },
  });
  return { state, db };
}

describe('the reaper', () => {
  it('passes over an orphan that cannot be taken, says which one it is, and takes all others', async () => {
    const ids = await submitAndClaim(4);
    const [stuck = ''] = ids;
    await app.sql(`update job set lease_until = now() - interval '1 s' where state = 'RUNNING'`);
    await app.sql(`update job set lease_until = now() - interval '9 s' where id = '${stuck}'`);
    await app.sql(`create function refuse() returns trigger language plpgsql as
      $$ begin raise exception 'not this one'; end $$`);
    await app.sql(`create trigger refuse before update on job for each row
      when (old.id = '${stuck}') execute function refuse()`);
    const warnings: object[] = [];

    {
      await using _ = openBackground(warnings);
      await using _other = openBackground();
      await expect
        .poll(() => statesOf(ids), SOON)
        .toEqual(ids.map((id) => (id === stuck ? 'RUNNING' : 'QUEUED')));
      await expect.poll(() => warnings, SOON).toContainEqual(expect.objectContaining({ job: stuck }));
    }
    await app.sql('drop trigger refuse on job');

    await using _ = openBackground();
    await expect.poll(() => statesOf(ids), SOON).toEqual(ids.map(() => 'QUEUED'));
    const counts = await app.sql('select distinct recoveries from job where id = any($1)', [ids]);
    expect(counts).toEqual([{ recoveries: 1 }]);
  });
});

describe('a database that was away', () => {
  // Less than the server of the tests has been up, which has a grace of its own.
  const settings = { reapEveryMs: 10, leaseGraceMs: 50, trimEveryMs: 3_600_000 };
  const expire = () => app.sql(`update job set lease_until = now() - interval '1 s' where state = 'RUNNING'`);

  it('leaves the holders a while to renew what they could not, and takes the rest', async () => {
    const holder = newId('dispatcher');
    const [renewed = '', silent = ''] = await submitAndClaim(2, holder);
    const { state, db } = openFlakyDb();
    const clock = createSleepyClock();
    const warnings: object[] = [];
    const look = () => clock.pass(settings.reapEveryMs);
    await using _ = openBackground(warnings, { systemDb: db, clock, settings });
    await clock.pass(0);

    state.isAway = true;
    await look();
    await expire();
    await look();
    state.isAway = false;
    await look();
    await clock.pass(settings.leaseGraceMs - 1);
    const pulse = { tenantId: tenant.id, id: renewed as Id<'job'>, fence: 1, step: 1, usedSequence: 3 };
    expect(await scheduling.renew([pulse], 60_000)).toHaveLength(1);
    expect(await statesOf([renewed, silent])).toEqual(['RUNNING', 'RUNNING']);
    expect(warnings).toHaveLength(1);

    await look();
    await expect.poll(() => statesOf([renewed, silent]), SOON).toEqual(['RUNNING', 'QUEUED']);
  });

  it('counts as away until its server has started, for whoever looks', async () => {
    await submitAndClaim(1);
    await expire();
    const reaper = { systemDb, bell: silentBell, newId };
    expect(await reap({ ...reaper, leaseGraceMs: 24 * 3_600_000 })).toBeNull();
    expect(await reap({ ...reaper, leaseGraceMs: 0 })).toMatchObject({ state: 'QUEUED' });
  });
});

describe('a holder without time', () => {
  it('puts all its jobs back at once, those of others not, and none of it counts against them', async () => {
    const holder = newId('dispatcher');
    const ids = await submitAndClaim(2, holder);
    const others = await submitAndClaim(1);

    await scheduling.abandon(holder);

    expect(await statesOf([...ids, ...others])).toEqual(['QUEUED', 'QUEUED', 'RUNNING']);
    const rows = await app.sql(
      `select distinct recoveries, attempts, fence, holder from job where id = any($1)`,
      [ids],
    );
    expect(rows).toEqual([{ recoveries: 0, attempts: 0, fence: 2, holder: null }]);
    const events = await app.sql('select type from event where job_id = $1 order by sequence', [ids[0]]);
    expect(events.map((event) => Object.values(event)[0])).toEqual(['QUEUED', 'STARTED', 'REQUEUED']);
  });
});

describe('trimming', () => {
  it('deletes all that is old, however much, also by two at once, and nothing else', async () => {
    const [id = ''] = await submitAndClaim(1);
    await app.sql(
      `insert into job_progress (tenant_id, job_id, sequence, type, at, step)
       select $1, $2, n, 'STEP', now() - interval '2 hours', 1 from generate_series(1, 12000) n`,
      [tenant.id, id],
    );
    await app.sql(
      `insert into idempotency_record (tenant_id, operation, key, request_hash, job_id, created_at)
       select $1, 'jobSubmit', 'key ' || n, '', $2, now() - make_interval(hours => n) from generate_series(1, 40) n`,
      [tenant.id, id],
    );
    const count = async (table: string) => (await app.sql(`select from ${table}`)).length;

    await trimHistory(systemDb);
    // The job has not ended: somebody may still replay it.
    expect(await count('job_progress')).toBe(12_000);
    expect(await count('idempotency_record')).toBe(24);
    await app.sql(`update job set state = 'CANCELLED', holder = null, lease_until = null,
      finished_at = now() - interval '61 minutes' where id = '${id}'`);
    await Promise.all([trimHistory(systemDb), trimHistory(systemDb)]);
    expect(await count('job_progress')).toBe(0);
  });

  it('has an index for each search by age', async () => {
    const indexes = await app.sql<{ name: string }>(
      `select indexname as name from pg_indexes where indexname in ('job_progress_at', 'idempotency_record_created_at')`,
    );
    expect(indexes).toHaveLength(2);
  });
});

describe('first starts at the same moment', () => {
  it('make one tenant, one plan and one live version of a variant', async () => {
    await using database = await createDatabase();
    await using own = new AsyncDisposableStack();
    const bundle = { ...(await openPico()), schedulerConfig: {} };
    const starts = Array.from({ length: 6 }, () => {
      const db = own.adopt(
        openDb({ url: database.urls.system, poolMax: 2, applicationName: 'darkroom test' }),
        (opened) => opened.$disconnect(),
      );
      const clocks = { clock: systemClock, random: systemRandom };
      return Promise.all([
        seedPlatformVariants({ systemDb: db, newId }, [bundle]),
        firstTenant(onboardingOn(db, new Uint8Array(32), clocks)),
      ]);
    });

    const tenants = (await Promise.all(starts)).map(([, { id }]) => id);

    expect(new Set(tenants).size).toBe(1);
    const db = own.adopt(
      openDb({ url: database.urls.system, poolMax: 1, applicationName: 'darkroom test' }),
      (opened) => opened.$disconnect(),
    );
    expect([await db.tenant.count(), await db.plan.count(), await db.variantVersion.count()]).toEqual([
      1, 1, 1,
    ]);
    expect(await db.usageEntry.count()).toBe(1);
  });
});

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { PublishDeps, ProcessReport } from '../../src/domains/operations/index.ts';
import { createOperations, publishFigures, readLoad } from '../../src/domains/operations/index.ts';
import { asPlatform } from '../../src/domains/tenancy/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Id } from '../../src/kernel/ids.ts';
import { createIds } from '../../src/kernel/ids.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { Connection } from '../../src/platform/db/connect.ts';
import { connect } from '../../src/platform/db/connect.ts';
import type { Db, LoginRole } from '../../src/platform/db/index.ts';
import { migrate, openDb, passwordsFrom } from '../../src/platform/db/index.ts';
import { MIGRATIONS_DIRECTORY } from '../../src/platform/db/migrations.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { seedTenantRows } from '../support/tenant-rows.ts';
import { silentLog } from '../support/silent-log.ts';

const WRITERS = ['app', 'dispatcher', 'system'] as const;
const newId = createIds(systemClock, systemRandom);

const stack = new AsyncDisposableStack();
let database: TestDatabase;
let admin: Connection;
let pools: Readonly<Record<LoginRole, Db>>;

beforeAll(async () => {
  database = stack.use(await createDatabase());
  admin = stack.use(await connect({ url: database.adminUrl, applicationName: 'test' }));
  const open = (role: LoginRole) =>
    stack.adopt(openDb({ url: database.urls[role], poolMax: 2, applicationName: 'test' }), (db) =>
      db.$disconnect(),
    );
  pools = { app: open('app'), auth: open('auth'), dispatcher: open('dispatcher'), system: open('system') };
});

afterAll(() => stack.disposeAsync());

beforeEach(() => admin.query('delete from process_figures'));

const reportOf = (sockets: number, id: Id<'process'> = newId('process')): ProcessReport => ({
  id,
  host: 'a-host',
  roles: ['api'],
  figures: {
    upMs: 1_000,
    eventLoopDelayMs: null,
    dispatcher: null,
    api: { sockets, socketBufferBytesMax: 0, eventsDelivered: 0 },
  },
});

const publish = (role: LoginRole, own: () => ProcessReport, more: Partial<PublishDeps> = {}) =>
  publishFigures({ db: pools[role], own, clock: createManualClock(), logger: silentLog, ...more });

const rows = () =>
  admin.query<{ id: string; writer: string }>('select id, writer from process_figures order by id');

/** What an API process is told: by default one that publishes nothing itself. */
const read = (role: 'app' | 'system' = 'app', own: ProcessReport | null = null) =>
  createOperations({ db: pools[role], own: own && (() => own) }).report();

async function ask(role: LoginRole, sql: string) {
  await using connection = await connect({ url: database.urls[role], applicationName: 'test' });
  return await connection.query(sql);
}

/** A row as another process of that login would have written it. */
const plant = (role: LoginRole, report: ProcessReport, ageSeconds: number) =>
  ask(
    role,
    `insert into process_figures (id, roles, host, figures, updated_at) values ('${report.id}', '{api}', 'h',
       '${JSON.stringify(report.figures)}', clock_timestamp() - interval '${ageSeconds} s')`,
  );

describe('the figures of the platform', () => {
  it('come from processes of every login, while they run', async () => {
    const publishers = WRITERS.map((role, index) => {
      const own = reportOf(10 ** index);
      return publish(role, () => own);
    });
    await expect.poll(rows).toHaveLength(3);

    for (const role of ['app', 'system'] as const) {
      expect((await read(role)).stats.sockets).toBe(1 + 10 + 100);
    }
    await Promise.all(publishers.map((publisher) => publisher[Symbol.asyncDispose]()));

    expect(await rows()).toEqual([]);
    expect((await read()).stats.sockets).toBe(0);
  });

  it('follow what a process counts, every two seconds', async () => {
    const clock = createManualClock();
    let sockets = 1;
    const id = newId('process');
    await using _publisher = publish('dispatcher', () => reportOf(sockets, id), { clock });
    await expect.poll(async () => (await read()).stats.sockets).toBe(1);

    sockets = 5;
    clock.advance(1_999);
    expect((await read()).stats.sockets).toBe(1);
    clock.advance(1);

    await expect.poll(async () => (await read()).stats.sockets).toBe(5);
    expect(await rows()).toHaveLength(1);
  });

  it('leave out a process that has been silent for 15 seconds', async () => {
    await plant('dispatcher', reportOf(1), 14);
    await plant('dispatcher', reportOf(10), 16);

    expect((await read()).stats.sockets).toBe(1);
  });

  it('take the process that asks as it is, and not as it was when it last wrote', async () => {
    const id = newId('process');
    await plant('app', reportOf(1, id), 1);
    await plant('dispatcher', reportOf(10), 1);

    expect((await read('app', reportOf(3, id))).stats.sockets).toBe(13);
  });

  it('leave out what a process of another version wrote and this one cannot read', async () => {
    await plant('app', reportOf(1), 1);
    await ask(
      'system',
      `insert into process_figures (id, roles, host, figures) values ('prc_x', '{}', 'h', '{"v": 2}')`,
    );

    expect((await read()).stats.sockets).toBe(1);
  });

  it('count the queued jobs of every tenant, whoever asks', async () => {
    for (const letter of 'AB') await seedTenantRows(admin, `ten_${letter.repeat(26)}`);

    expect((await read('app')).stats.queueDepth).toBe(2);
    expect((await read('system')).stats.queueDepth).toBe(2);
    expect(await ask('app', 'select id from job')).toEqual([]);
  });
});

describe('what waits for the fleet', () => {
  const load = (role: 'app' | 'system' = 'app') => asPlatform(pools[role], readLoad);

  it('is what the open jobs of every tenant have left to do, each picture for itself', async () => {
    for (const letter of 'CD') await seedTenantRows(admin, `ten_${letter.repeat(26)}`);
    const before = (await load()).evaluationsAhead;
    const ofC = (change: string) => admin.query(`update job set ${change} where tenant_id like 'ten_CCC%'`);

    await ofC('image_count = 4, step = 3');
    expect((await load()).evaluationsAhead - before).toBe((8 - 3) * 4 - 8);
    expect((await load('system')).evaluationsAhead).toBe((await load()).evaluationsAhead);
    await ofC('image_count = 1, step = 0');
    expect((await load()).evaluationsAhead).toBe(before);
    await ofC(`state = 'CANCELLED', finished_at = now()`);
    expect((await load()).evaluationsAhead).toBe(before - 8);
  });

  it('is told with the pace of the dispatchers that run, and without one while they have drawn nothing', async () => {
    expect((await load()).evaluationsPerSecond).toBeNull();
    const dispatcher = { rowsInFlight: 0, unetCalls: 9, unetRows: 60, busyMs: 2_000, gapMs: 0, gaps: 0 };
    for (const role of ['dispatcher', 'system'] as const) {
      const report = reportOf(0);
      await plant(role, { ...report, figures: { ...report.figures, dispatcher } }, 1);
    }
    expect((await load()).evaluationsPerSecond).toBe(60);
  });

  it('is no business of the login that finds keys', async () => {
    await expect(ask('auth', 'select evaluations_ahead()')).rejects.toMatchObject({ code: '42501' });
  });
});

describe('what a dead process left', () => {
  it.each([
    ['system', []],
    ['dispatcher', ['darkroom_app']],
    ['app', ['darkroom_dispatcher']],
  ] as const)('is removed by the next one of the login %s, as far as it may', async (role, left) => {
    await plant('app', reportOf(1), 16);
    await plant('dispatcher', reportOf(1), 16);
    await plant('system', reportOf(1), 14);
    const own = reportOf(1);

    await using _publisher = publish(role, () => own);

    await expect.poll(async () => (await rows()).map(({ id }) => id)).toContain(own.id);
    const others = (await rows()).filter(({ id }) => id !== own.id).map(({ writer }) => writer);
    expect(others.toSorted()).toEqual([...left, 'darkroom_system'].toSorted());
  });
});

describe('a login', () => {
  it('cannot write for another one, nor say that it is another one', async () => {
    const mine = reportOf(1);
    await plant('dispatcher', mine, 1);

    for (const role of ['app', 'system'] as const) {
      expect(await ask(role, `update process_figures set figures = '{}' returning id`)).toEqual([]);
    }
    expect(await ask('app', 'delete from process_figures returning id')).toEqual([]);
    for (const sql of [
      `update process_figures set writer = 'darkroom_app'`,
      `insert into process_figures (id, roles, host, figures, writer) values ('p', '{}', 'h', '{}', 'darkroom_app')`,
    ]) {
      await expect(ask('dispatcher', sql)).rejects.toMatchObject({ code: '42501' });
    }
    expect(await rows()).toEqual([{ id: mine.id, writer: 'darkroom_dispatcher' }]);
  });

  it('of a dispatcher sees its own rows only, and the one that finds keys none', async () => {
    await plant('app', reportOf(1), 1);
    const mine = reportOf(1);
    await plant('dispatcher', mine, 1);

    expect(await ask('dispatcher', 'select id from process_figures')).toEqual([{ id: mine.id }]);
    for (const sql of ['select id from process_figures', 'select queue_depth()']) {
      await expect(ask('auth', sql)).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('cannot fill the table with more than figures', async () => {
    const filling = ask(
      'app',
      `insert into process_figures (id, roles, host, figures)
       values ('p', '{}', 'h', jsonb_build_object('a', repeat('x', 5000)))`,
    );

    await expect(filling).rejects.toMatchObject({ code: '23514' });
  });
});

describe('a database that is away', () => {
  it('costs one warning however long it lasts, and the figures come back with it', async () => {
    const clock = createManualClock();
    const said: string[] = [];
    const logger = {
      info: (_: object, message: string) => void said.push(`info: ${message}`),
      failed: (_: unknown, __: object, message: string) => said.push(`warn: ${message}`) > 0,
    };
    const id = newId('process');
    let writes = 0;
    const own = () => {
      writes += 1;
      return reportOf(1, id);
    };
    await using _publisher = publish('app', own, { clock, logger });
    await expect.poll(rows).toHaveLength(1);
    await admin.query('revoke insert (id) on process_figures from darkroom_app');
    for (let turn = 2; turn <= 4; turn++) {
      clock.advance(2_000);
      await expect.poll(() => writes).toBe(turn);
      await expect.poll(() => said).toEqual(['warn: figures cannot be published; it is tried again']);
    }
    await admin.query('grant insert (id) on process_figures to darkroom_app');
    await expect
      .poll(() => {
        clock.advance(2_000);
        return said.slice(1);
      })
      .toEqual(['info: figures are published again']);
  });

  it('does not keep a process from ending', async () => {
    const gone = openDb({
      url: 'postgres://darkroom_app:x@127.0.0.1:1/none',
      poolMax: 1,
      applicationName: 'test',
    });
    const publisher = publish('app', () => reportOf(1), { db: gone });

    await expect(Promise.resolve(publisher[Symbol.asyncDispose]())).resolves.toBeUndefined();
    await gone.$disconnect();
  });
});

describe('an installation from before there were figures', () => {
  it('has them for its first key, and for no other one', async () => {
    await using old = await createDatabase({ empty: true });
    const directory = await mkdtemp(join(tmpdir(), 'darkroom-migrations-'));
    await using _folder = { [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
    const init = '20261124000000_init';
    await cp(join(MIGRATIONS_DIRECTORY, init), join(directory, init), { recursive: true });
    const passwords = passwordsFrom(inject('postgres').secret);
    const options = { adminUrl: old.adminUrl, logger: pino({ level: 'silent' }), passwords };
    await migrate({ ...options, migrationsDirectory: directory });
    await using owner = await connect({ url: old.adminUrl, applicationName: 'test' });
    await owner.query(`
      insert into plan (id, name, queued_jobs_max, megapixels_max, steps_max) values ('p', 'p', 1, 1, 1);
      insert into tenant (id, plan_id, name, slug) values ('t1', 'p', 'First', 'first'), ('t2', 'p', 'Other', 'other');
      insert into api_key (tenant_id, id, name, hash, prefix, last4, environment, scopes) values
        ('t1', 'k1', 'first key', '1', '', '', 'LIVE', '{JOBS_READ}'),
        ('t1', 'k2', 'first key', '2', '', '', 'LIVE', '{JOBS_READ}'),
        ('t2', 'k1', 'first key', '3', '', '', 'LIVE', '{JOBS_READ}')`);

    await migrate(options);

    expect(
      await owner.query(`select tenant_id || id as key from api_key where 'PLATFORM_READ' = any (scopes)`),
    ).toEqual([{ key: 't1k1' }]);
  });
});

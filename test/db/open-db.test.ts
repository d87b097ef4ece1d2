import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/kernel/clock.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Id } from '../../src/kernel/ids.ts';
import type { Connection } from '../../src/platform/db/connect.ts';
import { connect } from '../../src/platform/db/connect.ts';
import type { Db } from '../../src/platform/db/index.ts';
import {
  inTransaction,
  isRetryableDatabaseError,
  isTransactionConflict,
  isUniqueViolation,
  openDb,
  withTenant,
} from '../../src/platform/db/index.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';
import { seedTenantRows } from '../support/tenant-rows.ts';

const A = `ten_${'A'.repeat(26)}` as Id<'tenant'>;
const B = `ten_${'B'.repeat(26)}` as Id<'tenant'>;
const JOB_A = `job_${'A'.repeat(26)}`;

let database: TestDatabase;
let admin: Connection;

beforeAll(async () => {
  database = await createDatabase();
  admin = await connect({ url: database.adminUrl, applicationName: 'test' });
  for (const tenant of [A, B]) await seedTenantRows(admin, tenant);
});

afterAll(async () => {
  await admin[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

function open(login: 'app' | 'system', poolMax = 4) {
  const db = openDb({ url: database.urls[login], poolMax, applicationName: `test ${login}` });
  return { db, [Symbol.asyncDispose]: () => db.$disconnect() };
}

const caught = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => error,
  );

const jobIds = (db: Db, tenant: Id<'tenant'>) =>
  withTenant(db, tenant, async (tx) =>
    (await tx.job.findMany({ select: { tenantId: true } })).map((job) => job.tenantId),
  );

describe('withTenant', () => {
  it('never shows one tenant’s rows to the other over a shared pool', async () => {
    await using app = open('app', 3);

    const asked = Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? A : B));
    const seen = await Promise.all(asked.map((tenant) => jobIds(app.db, tenant)));

    expect(seen).toEqual(asked.map((tenant) => [tenant]));
  });

  it('leaves no tenant on the connection that it used', async () => {
    await using app = open('app', 1);
    await jobIds(app.db, A);

    expect(await app.db.job.count()).toBe(0);
  });

  it('undoes everything when its work fails', async () => {
    await using app = open('app');
    const failing = withTenant(app.db, A, async (tx) => {
      await tx.reservation.updateMany({ data: { settledAt: new Date() } });
      throw new Error('changed my mind');
    });

    await expect(failing).rejects.toThrow('changed my mind');
    expect(await admin.query('select from reservation where settled_at is not null')).toEqual([]);
  });
});

/** A clock whose sleeps are over at once and counted. */
function countingClock(): Clock & { readonly sleptMs: number[] } {
  const sleptMs: number[] = [];
  return {
    ...systemClock,
    sleptMs,
    async sleep(delayMs) {
      sleptMs.push(delayMs);
    },
  };
}

describe('a conflict between transactions', () => {
  it('that the server reports as 40001 runs the whole transaction again', async () => {
    await using system = open('system');
    const clock = countingClock();
    let runs = 0;

    const step = await inTransaction(
      system.db,
      async (tx) => {
        runs += 1;
        const where = { tenantId_id: { tenantId: A, id: JOB_A } };
        const { step: before } = await tx.job.findUniqueOrThrow({ where });
        // Somebody else gets in between, the first time.
        if (runs === 1) await admin.query(`update job set step = step + 1 where id = '${JOB_A}'`);
        return (await tx.job.update({ where, data: { step: before + 1 } })).step;
      },
      { isolation: 'RepeatableRead', clock },
    );

    expect([runs, step]).toEqual([2, 2]);
    expect(clock.sleptMs).toHaveLength(1);
  });

  it('that is a deadlock ends with both transactions done', async () => {
    await using system = open('system');
    const met = Promise.withResolvers<void>();
    let arrived = 0;
    const touch = (first: string, second: string) =>
      inTransaction(system.db, async (tx) => {
        await tx.tenant.update({ where: { id: first }, data: { name: 'touched' } });
        arrived += 1;
        if (arrived === 2) met.resolve();
        await met.promise;
        await tx.tenant.update({ where: { id: second }, data: { name: 'touched' } });
      });

    await expect(Promise.all([touch(A, B), touch(B, A)])).resolves.toHaveLength(2);
    expect(arrived).toBe(3);
  });

  it('that does not end is given up after four attempts, as retryable', async () => {
    await using system = open('system');
    const clock = countingClock();
    let runs = 0;

    const error = await caught(
      inTransaction(
        system.db,
        async (tx) => {
          runs += 1;
          await tx.$executeRaw`do $$ begin raise serialization_failure; end $$`;
        },
        { clock },
      ),
    );

    expect(runs).toBe(4);
    expect([isTransactionConflict(error), isRetryableDatabaseError(error)]).toEqual([true, true]);
    expect(clock.sleptMs.every((ms, attempt) => ms >= 5 * 2 ** attempt && ms <= 10 * 2 ** attempt)).toBe(
      true,
    );
  });

  it('is told from other failures, which are not repeated', async () => {
    await using system = open('system');
    let runs = 0;

    const error = await caught(
      inTransaction(system.db, async (tx) => {
        runs += 1;
        await tx.$executeRaw`select 1 / 0`;
      }),
    );

    expect(runs).toBe(1);
    expect([isTransactionConflict(error), isRetryableDatabaseError(error)]).toEqual([false, false]);
  });
});

const insertPlan = (db: Db, id: string, name: string) =>
  db.plan.create({ data: { id, name, queuedJobsMax: 1, megapixelsMax: 1, stepsMax: 1 } });

describe('a unique violation', () => {
  const taken = `pln_${'A'.repeat(26)}`;

  it('is recognised by the name of its constraint, from a query and from raw SQL', async () => {
    await using system = open('system');

    const byModel = await caught(insertPlan(system.db, 'pln_new', taken));
    const byRaw = await caught(
      system.db.$executeRaw`insert into plan select 'pln_new', name, 1, 1, 1 from plan where name = ${taken}`,
    );

    for (const error of [byModel, byRaw]) {
      expect(isUniqueViolation(error)).toBe(true);
      expect(isUniqueViolation(error, 'plan_name_key')).toBe(true);
      expect(isUniqueViolation(error, 'plan_pkey')).toBe(false);
      expect(isRetryableDatabaseError(error)).toBe(false);
    }
  });

  it('is nothing else: a missing row of a foreign key is not one', async () => {
    await using system = open('system');
    const error = await caught(
      system.db.tenant.create({ data: { id: 'ten_x', planId: 'pln_missing', name: 'x', slug: 'x' } }),
    );

    expect(isUniqueViolation(error)).toBe(false);
    expect(isRetryableDatabaseError(error)).toBe(false);
  });
});

const endConnections = () =>
  admin.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'test app'`,
  );

describe('a database that cannot serve now', () => {
  it('is retryable when every connection is in use, and says so instead of waiting for one', async () => {
    await using app = open('app', 1);
    const release = Promise.withResolvers<void>();
    const holding = Promise.withResolvers<void>();
    const holder = withTenant(app.db, A, async () => {
      holding.resolve();
      await release.promise;
    });
    await holding.promise;

    // It is let go only afterwards, so these cannot succeed.
    const errors = [await caught(jobIds(app.db, A)), await caught(app.db.job.count())];
    release.resolve();
    await holder;

    expect(errors.map(isRetryableDatabaseError)).toEqual([true, true]);
    expect(await jobIds(app.db, A)).toEqual([A]);
  });

  it('is retryable when connections are ended inside a transaction, and the pool heals', async () => {
    await using app = open('app', 2);
    const inside = withTenant(app.db, A, async (tx) => {
      await endConnections();
      return tx.job.count();
    });

    expect(isRetryableDatabaseError(await caught(inside))).toBe(true);
    expect(await jobIds(app.db, A)).toEqual([A]);
  });

  it('heals by itself when idle connections were ended', async () => {
    await using app = open('app', 2);
    await jobIds(app.db, A);
    await endConnections();

    // The first may still be handed a connection that is about to notice.
    await caught(jobIds(app.db, A));
    expect(await jobIds(app.db, A)).toEqual([A]);
  });

  it('is retryable when nothing listens there', async () => {
    const url = new URL(database.urls.app);
    url.port = '1';
    const db = openDb({ url: url.href, poolMax: 1, applicationName: 'test' });

    const errors = [
      await caught(jobIds(db, A)),
      await caught(db.job.count()),
      await caught(db.$queryRaw`select 1`),
    ];
    await db.$disconnect();

    expect(errors.map(isRetryableDatabaseError)).toEqual([true, true, true]);
  });

  it('is retryable when it has become read-only, and when it stopped a statement or a wait for a lock', async () => {
    await using system = open('system');
    const failures = {
      '25006': async () =>
        inTransaction(system.db, async (tx) => {
          await tx.$executeRaw`set transaction read only`;
          await tx.job.updateMany({ data: { step: 1 } });
        }),
      '57014': () =>
        inTransaction(system.db, async (tx) => {
          await tx.$executeRaw`set local statement_timeout = '10ms'`;
          await tx.$queryRaw`select 1 from pg_sleep(5)`;
        }),
      '55P03': () =>
        inTransaction(system.db, async (tx) => {
          await admin.query('begin; lock table reservation');
          await tx.$executeRaw`set local lock_timeout = '10ms'`;
          await tx.reservation.count();
        }).finally(() => admin.query('rollback')),
    };
    for (const failure of Object.values(failures)) {
      expect(isRetryableDatabaseError(await caught(failure()))).toBe(true);
    }
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TenantDb } from '../../src/domains/tenancy/index.ts';
import { createTenantDb } from '../../src/domains/tenancy/index.ts';
import type { Id } from '../../src/kernel/ids.ts';
import { createSlots } from '../../src/kernel/slots.ts';
import type { Db, Tx } from '../../src/platform/db/index.ts';
import { openDb } from '../../src/platform/db/index.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';
import type { ManualClock } from '../support/manual-clock.ts';
import { createManualClock } from '../support/manual-clock.ts';

const A = `ten_${'A'.repeat(26)}` as Id<'tenant'>;
const B = `ten_${'B'.repeat(26)}` as Id<'tenant'>;

let database: TestDatabase;
let pool: Db;
let clock: ManualClock;
let db: TenantDb;

beforeAll(async () => {
  database = await createDatabase();
  pool = openDb({ url: database.urls.app, poolMax: 4, applicationName: 'test' });
});

afterAll(async () => {
  await pool.$disconnect();
  await database[Symbol.asyncDispose]();
});

beforeEach(() => {
  clock = createManualClock();
  db = createTenantDb({ db: pool, clock });
});

const tenantOf = async (tx: Tx) => {
  const [row] = await tx.$queryRaw<{ tenant: string }[]>`select current_setting('app.tenant') as tenant`;
  return row?.tenant;
};

/** Many operations of one tenant, each of which holds its transaction until it is let go. */
function flood(tenantId: Id<'tenant'>, count: number) {
  const [held, letGo] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let started = 0;
  const work = async (tx: Tx) => {
    started += 1;
    if (started === 3) held.resolve();
    await letGo.promise;
    return tenantOf(tx);
  };
  const all = Promise.allSettled(Array.from({ length: count }, () => db.asTenant(tenantId, work)));
  return { held: held.promise, letGo: letGo.resolve, all, started: () => started };
}

describe('the database of tenants', () => {
  it('answers one tenant while another asks without end', async () => {
    const crowd = flood(A, 50);
    await crowd.held;
    expect(await db.asTenant(B, tenantOf)).toBe(B);
    expect(crowd.started()).toBe(3);
    crowd.letGo();
    expect(await crowd.all).toEqual(Array.from({ length: 50 }, () => ({ status: 'fulfilled', value: A })));
  });

  it('is RATE_LIMITED to who waited five seconds for a turn, and the tenant comes back to it', async () => {
    const crowd = flood(A, 5);
    await crowd.held;
    clock.advance(4_999);
    expect(await db.asTenant(B, tenantOf)).toBe(B);
    clock.advance(1);
    crowd.letGo();
    const outcomes = await crowd.all;
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
    expect(outcomes.at(-1)).toMatchObject({ reason: { code: 'RATE_LIMITED', retryAfterMs: 1_000 } });
    expect(crowd.started()).toBe(3);
    expect(await db.asTenant(A, tenantOf)).toBe(A);
  });

  it('lets those wait for no slot whose turn has not come', async () => {
    const through = createSlots(1);
    const crowd = flood(A, 3);
    await crowd.held;
    const waiting = db.asTenant(A, tenantOf, { through });
    expect(await db.asTenant(B, tenantOf, { through })).toBe(B);
    crowd.letGo();
    expect(await waiting).toBe(A);
    await crowd.all;
  });

  it('gives the turn back when the work fails', async () => {
    const failing = () => db.asTenant(A, () => Promise.reject(new Error('broken')));
    for (let i = 0; i < 4; i++) await expect(failing()).rejects.toThrow('broken');
    expect(await db.asTenant(A, tenantOf)).toBe(A);
  });
});

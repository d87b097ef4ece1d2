import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Connection } from '../../src/platform/db/connect.ts';
import { connect, quoteName } from '../../src/platform/db/connect.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';
import { seedTenantRows } from '../support/tenant-rows.ts';

// Row-level security alone, as the application's filters were all forgotten: raw SQL, no `where`.
// Which tables there are is read from the catalogue, so a new one cannot be forgotten here.

const A = `ten_${'A'.repeat(26)}`;
const B = `ten_${'B'.repeat(26)}`;

interface TenantTable {
  readonly name: string;
  /** The column that says whose a row is. */
  readonly whose: string;
}

let database: TestDatabase;
let admin: Connection;
let tables: readonly TenantTable[];

beforeAll(async () => {
  database = await createDatabase();
  admin = await connect({ url: database.adminUrl, applicationName: 'test' });
  tables = await admin.query<{ name: string; whose: string }>(
    `select relname as name, coalesce(attname, 'id') as whose
       from pg_class left join pg_attribute
         on attrelid = pg_class.oid and attname in ('tenant_id', 'owner_id') and not attisdropped
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and (attname is not null or relname = 'tenant')
      order by relname`,
  );
  for (const tenant of [A, B]) await seedTenantRows(admin, tenant);
});

afterAll(async () => {
  await admin[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** Runs `work` in a transaction of the app's login with the tenant set, and undoes it. */
async function asTenant<T>(tenant: string | null, work: (connection: Connection) => Promise<T>): Promise<T> {
  await using connection = await connect({ url: database.urls.app, applicationName: 'test' });
  await connection.query('begin');
  if (tenant !== null) await connection.query(`select set_config('app.tenant', $1, true)`, [tenant]);
  return await work(connection);
}

/** Whose rows of each table the connection sees. */
async function ownersSeen(connection: Connection): Promise<Readonly<Record<string, readonly string[]>>> {
  const seen: Record<string, readonly string[]> = {};
  for (const { name, whose } of tables) {
    const rows = await connection.query<{ owner: string }>(
      `select distinct ${whose} as owner from ${quoteName(name)} order by 1`,
    );
    seen[name] = rows.map(({ owner }) => owner);
  }
  return seen;
}

const versionOwnersSeen = (connection: Connection) =>
  connection.query(`select owner_id from variant_version order by 1`);

const everyTable = (owners: readonly string[]) =>
  Object.fromEntries(tables.map(({ name }) => [name, owners]));

describe('with every filter of the application off', () => {
  it('each tenant table holds rows of both tenants, or the tests below would prove nothing', async () => {
    expect(tables.length).toBeGreaterThanOrEqual(11);
    expect(await ownersSeen(admin)).toEqual(everyTable([A, B]));
  });

  it('no tenant set: no row of any tenant table', async () => {
    expect(await asTenant(null, ownersSeen)).toEqual(everyTable([]));
  });

  it('an empty tenant, as an ended transaction leaves it: no row either', async () => {
    expect(await asTenant('', ownersSeen)).toEqual(everyTable([]));
  });

  it('tenant B sees its own rows of every table and none of tenant A', async () => {
    expect(await asTenant(B, ownersSeen)).toEqual(everyTable([B]));
  });

  it('a tenant set for one transaction is gone in the next one of the same connection', async () => {
    await using connection = await connect({ url: database.urls.app, applicationName: 'test' });
    await connection.query('begin');
    await connection.query(`select set_config('app.tenant', $1, true)`, [A]);
    await connection.query('commit');

    expect(await ownersSeen(connection)).toEqual(everyTable([]));
  });

  it('public variants of another tenant can be read, and only in a tenant’s transaction', async () => {
    await using planter = await connect({ url: database.adminUrl, applicationName: 'test' });
    await planter.query(`update variant set visibility = 'PUBLIC' where owner_id = '${A}'`);

    const asB = await asTenant(B, versionOwnersSeen);
    const asNobody = await asTenant(null, versionOwnersSeen);
    await planter.query(`update variant set visibility = 'PRIVATE' where owner_id = '${A}'`);

    expect(asB).toEqual([{ owner_id: A }, { owner_id: B }]);
    expect(asNobody).toEqual([]);
  });
});

describe('writing', () => {
  it('to another tenant is refused by every table that the app may insert into', async () => {
    const insertable = await admin.query<{ name: string }>(
      `select distinct table_name as name from information_schema.role_table_grants
        where grantee = 'darkroom_app' and privilege_type = 'INSERT' and table_schema = 'public'`,
    );
    expect(insertable.length).toBeGreaterThanOrEqual(5);
    for (const { name } of insertable) {
      const copied = admin.query<{ row: string }>(
        `select to_jsonb(t)::text as row from ${quoteName(name)} t where tenant_id = $1`,
        [A],
      );
      const [copy] = await copied;
      expect(copy).toBeDefined();
      const inserting = asTenant(B, (connection) =>
        connection.query(
          `insert into ${quoteName(name)} select * from jsonb_populate_record(null::${quoteName(name)}, $1::jsonb)`,
          [copy?.row],
        ),
      );
      await expect(inserting).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('finds nothing of another tenant to update', async () => {
    const updated = await asTenant(B, (connection) =>
      connection.query(
        `update job set state = 'CANCELLED', finished_at = now(), cancel_requested_at = now() returning tenant_id`,
      ),
    );
    expect(updated).toEqual([{ tenant_id: B }]);
  });

  it('cannot hand a row of one’s own to another tenant', async () => {
    // The superuser planted it, so what refuses is the policy and not a missing grant.
    await admin.query(`grant update (tenant_id) on job to darkroom_app`);
    const moving = asTenant(B, (connection) => connection.query(`update job set tenant_id = '${A}'`));

    await expect(moving).rejects.toMatchObject({ code: '42501' });
    await admin.query(`revoke update (tenant_id) on job from darkroom_app`);
  });

  it.each([
    [
      'grant itself credits',
      `insert into usage_entry (tenant_id, id, kind, credits, note) values ('${B}', 'usg_x', 'GRANT', 1, 'x')`,
    ],
    [
      'lower what it used',
      `insert into usage_entry (tenant_id, id, kind, job_id, credits, note) select '${B}', 'usg_x', 'USAGE', id, 1, 'x' from job`,
    ],
    ['end a job as done', `update job set state = 'SUCCEEDED', finished_at = now()`],
    [
      'tell that a job is done',
      `insert into event (tenant_id, job_id, sequence, type) select '${B}', id, 99, 'COMPLETED' from job`,
    ],
    ['change what a job is', `update job set recipe = '{}'`],
    ['change what a job costs its owner', `update usage_entry set credits = 0`],
    ['read the hash of a key', `select hash from api_key`],
  ])('a tenant’s own transaction cannot %s', async (_, sql) => {
    await expect(asTenant(B, (connection) => connection.query(sql))).rejects.toMatchObject({ code: '42501' });
  });

  it('a foreign key cannot reach into another tenant, for whom row-level security would not ask', async () => {
    const references = await admin.query<{ name: string; columns: readonly string[]; target: string }>(
      `select conrelid::regclass::text as name, confrelid::regclass::text as target,
              array(select attname::text from unnest(conkey) as k join pg_attribute on attrelid = conrelid and attnum = k) as columns
         from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace`,
    );
    const tenantTables = new Set(tables.map(({ name }) => name));
    const within = references.filter(
      ({ name, target }) => tenantTables.has(name) && tenantTables.has(target),
    );

    expect(within.length).toBeGreaterThanOrEqual(10);
    for (const { columns } of within) {
      expect(columns).toContainEqual(expect.stringMatching(/^(tenant_id|owner_id|variant_owner_id)$/));
    }
    const stealing = admin.query(
      `insert into reservation (tenant_id, job_id, credits) select '${B}', id, 1 from job where tenant_id = '${A}'`,
    );
    await expect(stealing).rejects.toMatchObject({ code: '23503' });
  });

  it('a job cannot name a variant that is neither its tenant’s nor the platform’s', async () => {
    const naming = admin.query(`update job set variant_owner_id = '${A}' where tenant_id = '${B}'`);

    await expect(naming).rejects.toMatchObject({ code: '23514', constraint: 'job_variant_owner' });
  });
});

async function ask(login: 'auth' | 'dispatcher' | 'system', sql: string) {
  await using connection = await connect({ url: database.urls[login], applicationName: 'test' });
  return await connection.query(sql);
}

describe('the other logins', () => {
  it('dispatcher and system see every tenant without naming one', async () => {
    for (const login of ['dispatcher', 'system'] as const) {
      expect(await ask(login, 'select tenant_id from job order by 1')).toEqual([
        { tenant_id: A },
        { tenant_id: B },
      ]);
    }
  });

  it('auth reads what it finds a key by, and nothing else', async () => {
    expect(await ask('auth', 'select tenant_id, hash from api_key order by 1')).toHaveLength(2);
    await expect(ask('auth', 'select name from api_key')).rejects.toMatchObject({ code: '42501' });
    for (const { name } of tables.filter((table) => table.name !== 'api_key' && table.name !== 'tenant')) {
      await expect(ask('auth', `select 1 from ${quoteName(name)}`)).rejects.toMatchObject({
        code: '42501',
      });
    }
  });

  it('auth cannot write', async () => {
    await expect(ask('auth', 'update api_key set revoked_at = now()')).rejects.toMatchObject({
      code: '42501',
    });
  });

  it('no login can empty, change or drop a table', async () => {
    for (const url of Object.values(database.urls)) {
      await using connection = await connect({ url, applicationName: 'test' });
      for (const sql of [
        'truncate job cascade',
        'alter table job disable row level security',
        'drop table job cascade',
      ]) {
        await expect(connection.query(sql)).rejects.toMatchObject({ code: '42501' });
      }
      await expect(connection.query('create table mine (id int)')).rejects.toMatchObject({ code: '42501' });
    }
  });
});

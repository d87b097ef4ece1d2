import { expect, it } from 'vitest';
import { StartError } from '../../src/kernel/errors.ts';
import { connect } from '../../src/platform/db/connect.ts';
import { checkWalls } from '../../src/platform/db/index.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';

const check = ({ urls }: TestDatabase, more: Readonly<Record<string, string>> = {}) =>
  checkWalls({
    urls: {
      DATABASE_URL: urls.app,
      DATABASE_AUTH_URL: urls.auth,
      DATABASE_DISPATCHER_URL: urls.dispatcher,
      DATABASE_SYSTEM_URL: urls.system,
      DATABASE_LISTEN_URL: urls.listen,
      ...more,
    },
  });

async function plant({ adminUrl }: TestDatabase, sql: string): Promise<void> {
  await using admin = await connect({ url: adminUrl, applicationName: 'test' });
  await admin.query(sql);
}

/** Every sentence of the refusal; fails when nothing was refused. */
async function faultsOf(checking: Promise<void>): Promise<readonly string[]> {
  const error = await checking.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StartError);
  return (error instanceof Error ? error.message : '').replace(/^.*?: /, '').split('; ');
}

it('the migrated database passes', async () => {
  await using database = await createDatabase();

  await expect(check(database)).resolves.toBeUndefined();
});

const PLANTED: readonly (readonly [fault: string, sql: string, said: readonly RegExp[]])[] = [
  [
    'a tenant table without row-level security',
    'create table note (tenant_id text)',
    [/^table public.note belongs to tenants and has no forced row-level security/],
  ],
  [
    'a tenant table whose owner is exempt',
    'alter table job no force row level security',
    [/^table public.job .* force row level security/],
  ],
  [
    'an owned table outside the public schema',
    'create schema side; create table side.preset (owner_id text)',
    [/^table side.preset/],
  ],
  ['the tenant table itself', 'alter table tenant disable row level security', [/^table public.tenant/]],
  ['a view with its owner’s rights', 'create view all_jobs as select id from job', [/^view public.all_jobs/]],
  [
    'a materialized view that a login may read',
    'create materialized view job_copy as select id from job; grant select on job_copy to darkroom_app',
    [
      /^the login of DATABASE_URL may read the materialized view public.job_copy/,
      /^the login of DATABASE_LISTEN_URL may read the materialized view/,
    ],
  ],
  [
    'a SECURITY DEFINER function that trusts the search_path',
    `create function all_jobs() returns bigint language sql security definer as 'select count(*) from job'`,
    [/^function all_jobs\(\) is SECURITY DEFINER without a fixed search_path/],
  ],
  [
    'a login that owns a table',
    'create table mine (id int); alter table mine owner to darkroom_system',
    [/^the login of DATABASE_SYSTEM_URL owns public.mine/],
  ],
  [
    'a migration that is missing',
    `delete from _prisma_migrations where migration_name like '%_init'`,
    [/^migration \w+ is missing: run darkroom migrate/],
  ],
  [
    'a migration that is unknown',
    `insert into _prisma_migrations (id, checksum, migration_name, finished_at) values ('x', 'x', '9_later', now())`,
    [/^migration 9_later is unknown here/],
  ],
  [
    'a migration that failed',
    `update _prisma_migrations set finished_at = null where migration_name like '%_init'`,
    [/^migration \w+ failed half-way/],
  ],
  ['a database that was never migrated', 'drop table _prisma_migrations', [/^it was never migrated/]],
];

it.each(PLANTED)('refuses %s, and says nothing else', async (_, sql, said) => {
  await using database = await createDatabase();
  await plant(database, sql);

  const faults = await faultsOf(check(database));

  expect(faults).toEqual(said.map((pattern) => expect.stringMatching(pattern)));
});

const HARMLESS: readonly (readonly [what: string, sql: string])[] = [
  [
    'a view with its reader’s rights',
    'create view my_jobs with (security_invoker = on) as select id from job',
  ],
  ['a materialized view that no login may read', 'create materialized view job_copy as select id from job'],
  [
    'a SECURITY DEFINER function with a fixed search_path',
    `create function one() returns int language sql security definer set search_path = '' as 'select 1'`,
  ],
  [
    'a migration that was rolled back',
    `insert into _prisma_migrations (id, checksum, migration_name, rolled_back_at) values ('x', 'x', '9_later', now())`,
  ],
];

it.each(HARMLESS)('accepts %s', async (_, sql) => {
  await using database = await createDatabase();
  await plant(database, sql);

  await expect(check(database)).resolves.toBeUndefined();
});

it('refuses a login that is superuser', async () => {
  await using database = await createDatabase();

  const faults = await faultsOf(check(database, { DATABASE_URL: database.adminUrl }));

  expect(faults).toContainEqual(
    expect.stringMatching(/^the login of DATABASE_URL is or may become the superuser/),
  );
});

it('refuses a login that has BYPASSRLS, itself or through a role', async () => {
  await using database = await createDatabase();
  const [direct, indirect] = [`direct_${database.name}`, `indirect_${database.name}`];
  await plant(
    database,
    `create role ${direct} login bypassrls password 'p'; create role ${indirect} login password 'p';
     grant ${direct} to ${indirect}; grant select on _prisma_migrations to ${direct}, ${indirect}`,
  );
  const urlOf = (user: string) => {
    const url = new URL(database.adminUrl);
    url.username = user;
    url.password = 'p';
    return url.href;
  };

  const faults = await faultsOf(check(database, { ONE: urlOf(direct), OTHER: urlOf(indirect) }));

  expect(faults).toEqual([
    `the login of ONE is or may become ${direct}, which has BYPASSRLS`,
    `the login of OTHER is or may become ${direct}, which has BYPASSRLS.`,
  ]);
});

it('refuses a login that may become the owner', async () => {
  await using database = await createDatabase();
  const name = `member_${database.name}`;
  await plant(
    database,
    `create role ${name} login password 'p'; grant darkroom_owner to ${name}; grant select on _prisma_migrations to ${name}`,
  );
  const url = new URL(database.adminUrl);
  url.username = name;
  url.password = 'p';

  const faults = await faultsOf(check(database, { DATABASE_URL: url.href }));

  expect(faults).toEqual([
    expect.stringMatching(/^the login of DATABASE_URL owns public\.\w+ \(itself or through a role\)/),
  ]);
});

it('names the setting whose database cannot be reached', async () => {
  await using database = await createDatabase();

  const checking = check(database, { DATABASE_AUTH_URL: database.urls.auth.replace(/\/\w+$/, '/nowhere') });

  await expect(checking).rejects.toThrow(/^The database of DATABASE_AUTH_URL cannot be reached/);
});

import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { describe, expect, inject, it } from 'vitest';
import { StartError } from '../../src/kernel/errors.ts';
import type { Connection } from '../../src/platform/db/connect.ts';
import { connect } from '../../src/platform/db/connect.ts';
import type { MigrateOptions } from '../../src/platform/db/index.ts';
import { migrate, passwordsFrom } from '../../src/platform/db/index.ts';
import { MIGRATIONS_DIRECTORY } from '../../src/platform/db/migrations.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';
import type { Column } from '../support/data-model.ts';
import { readDataModel } from '../support/data-model.ts';

const logger = pino({ level: 'silent' });

const run = ({ adminUrl }: TestDatabase, options: Partial<MigrateOptions> = {}) =>
  migrate({ adminUrl, logger, passwords: passwordsFrom(inject('postgres').secret), ...options });

const openAdmin = ({ adminUrl }: TestDatabase) => connect({ url: adminUrl, applicationName: 'test' });

/** A folder of migrations, from SQL by name. */
async function writeMigrations(sqlByName: Readonly<Record<string, string>>) {
  const directory = await mkdtemp(path.join(tmpdir(), 'darkroom-migrations-'));
  for (const [name, sql] of Object.entries(sqlByName)) {
    await mkdir(path.join(directory, name));
    await writeFile(path.join(directory, name, 'migration.sql'), sql);
  }
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

const hasTable = async (connection: Connection, name: string) =>
  (await connection.query(`select from pg_tables where tablename = '${name}'`)).length === 1;

const columnsOf = (connection: Connection, schema: string, table = '%') =>
  connection.query<Column & { default: string | null; length: number | null }>(
    `select table_name as table, column_name as name, udt_name as type, is_nullable = 'YES' as "isNullable",
            column_default as default, character_maximum_length as length
       from information_schema.columns where table_schema = $1 and table_name like $2 order by ordinal_position`,
    [schema, table],
  );

describe('migrate', () => {
  it('records what it applied as Prisma does, and a second run changes nothing', async () => {
    await using database = await createDatabase({ empty: true });
    await using admin = await openAdmin(database);
    const history = () => admin.query(`select * from _prisma_migrations order by migration_name`);

    const first = await run(database);
    const recorded = await history();
    const second = await run(database);

    expect(first.applied.length).toBeGreaterThan(0);
    expect(second.applied).toEqual([]);
    expect(await history()).toEqual(recorded);
    const [name = ''] = first.applied;
    const sql = await readFile(path.join(MIGRATIONS_DIRECTORY, name, 'migration.sql'));
    expect(recorded[0]).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      checksum: createHash('sha256').update(sql).digest('hex'),
      migration_name: name,
      started_at: expect.any(Date),
      finished_at: expect.any(Date),
      applied_steps_count: 1,
      logs: null,
      rolled_back_at: null,
    });
  });

  it('keeps its record in the very table that this version of Prisma would make', async () => {
    await using database = await createDatabase();
    await using admin = await openAdmin(database);
    // Prisma's schema engine carries the statement as text.
    const prisma = path.dirname(createRequire(import.meta.url).resolve('prisma/package.json'));
    const engine = await readFile(path.join(prisma, 'build', 'schema_engine_bg.wasm'), 'latin1');
    const ddl = /CREATE TABLE _prisma_migrations \([^;]*VARCHAR\(36\)[^;]*;/.exec(engine)?.[0] ?? '';
    await admin.query(`create schema theirs; set search_path = theirs; ${ddl}`);

    const ours = await columnsOf(admin, 'public', '\\_prisma\\_migrations');
    expect(ours).toHaveLength(8);
    expect(ours).toEqual(await columnsOf(admin, 'theirs'));
    expect(engine).toContain('pg_advisory_lock(72707369)');
  });

  it('two at once apply each migration once', async () => {
    await using database = await createDatabase({ empty: true });

    const [a, b] = await Promise.all([run(database), run(database)]);

    expect([a.applied.length, b.applied.length].toSorted((x, y) => x - y)).toEqual([0, expect.any(Number)]);
    expect(Math.max(a.applied.length, b.applied.length)).toBeGreaterThan(0);
  });

  it('refuses a migration whose file was changed after it was applied', async () => {
    await using database = await createDatabase();
    await using copy = await writeMigrations({});
    await cp(MIGRATIONS_DIRECTORY, copy.directory, { recursive: true });
    const [name = ''] = await readdir(MIGRATIONS_DIRECTORY);
    await writeFile(path.join(copy.directory, name, 'migration.sql'), '-- nothing');

    const running = run(database, { migrationsDirectory: copy.directory });

    await expect(running).rejects.toThrow(StartError);
    await expect(running).rejects.toThrow(`migration ${name} was changed after it was applied`);
  });

  it('refuses a database that records a migration which it does not know', async () => {
    await using database = await createDatabase();
    await using other = await writeMigrations({ '1_other': 'select 1' });

    await expect(run(database, { migrationsDirectory: other.directory })).rejects.toThrow(/is unknown here/);
  });

  it('refuses a database in which a migration failed half-way', async () => {
    await using database = await createDatabase();
    await using admin = await openAdmin(database);
    await admin.query('update _prisma_migrations set finished_at = null');

    await expect(run(database)).rejects.toThrow(/failed half-way/);
  });

  it('undoes a migration that fails, names it, and keeps those before it', async () => {
    await using database = await createDatabase({ empty: true });
    await using admin = await openAdmin(database);
    await using migrations = await writeMigrations({
      '1_good': 'create table good (id int)',
      '2_bad': 'create table bad (id int); select * from missing',
    });

    const running = run(database, { migrationsDirectory: migrations.directory });

    await expect(running).rejects.toThrow(
      /Migration 2_bad failed and was undone: relation "missing" does not exist/,
    );
    expect(await hasTable(admin, 'good')).toBe(true);
    expect(await hasTable(admin, 'bad')).toBe(false);
    expect(await admin.query('select migration_name from _prisma_migrations')).toEqual([
      { migration_name: '1_good' },
    ]);
  });

  it('leaves everything it makes to the owner role, and nothing to the administrator', async () => {
    await using database = await createDatabase();
    await using admin = await openAdmin(database);

    const owners = await admin.query(
      `select distinct pg_get_userbyid(relowner) as owner from pg_class where relnamespace = 'public'::regnamespace`,
    );
    expect(owners).toEqual([{ owner: 'darkroom_owner' }]);
  });

  it('gives an administrator who is no superuser all that it needs', async () => {
    await using database = await createDatabase({ empty: true });
    await using admin = await openAdmin(database);
    const name = `admin_${database.name}`;
    await admin.query(`create role ${name} login createrole password 'secret';
      grant darkroom_app, darkroom_auth, darkroom_dispatcher, darkroom_system, darkroom_owner to ${name} with admin true;
      alter database ${database.name} owner to ${name}`);
    const url = new URL(database.adminUrl);
    url.username = name;
    url.password = 'secret';

    const { applied } = await run(database, { adminUrl: url.href });

    expect(applied.length).toBeGreaterThan(0);
  });

  it('says so when the login may not migrate', async () => {
    await using database = await createDatabase({ empty: true });

    await expect(run(database, { adminUrl: database.urls.app })).rejects.toThrow(/DATABASE_MIGRATE_URL/);
  });

  it('makes the database when asked, and prints settings that work', async () => {
    await using database = await createDatabase({ empty: true });
    await using admin = await openAdmin(database);
    await admin.query(`drop database if exists made_${database.name}`);

    const { settings, adminUrl } = await run(database, { database: `made_${database.name}` });

    expect([...settings.keys()]).toEqual([
      'DATABASE_URL',
      'DATABASE_AUTH_URL',
      'DATABASE_DISPATCHER_URL',
      'DATABASE_SYSTEM_URL',
      'DATABASE_LISTEN_URL',
    ]);
    for (const url of [...settings.values(), adminUrl]) {
      await using connection = await connect({ url, applicationName: 'test' });
      expect(await connection.query('select current_database() as name')).toEqual([
        { name: `made_${database.name}` },
      ]);
    }
    await admin.query(`drop database made_${database.name} with (force)`);
  });

  it('keeps the passwords of roles that exist, and prints no setting that would be wrong', async () => {
    await using database = await createDatabase();
    const { adminUrl, urls } = database;

    const { settings, keptPasswords } = await migrate({ adminUrl, logger });

    expect(settings).toEqual(new Map());
    expect(keptPasswords).toEqual(['app', 'auth', 'dispatcher', 'system']);
    await using connection = await connect({ url: urls.app, applicationName: 'test' });
    expect(await connection.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('bounds statements, lock waits and idle transactions of every login', async () => {
    await using database = await createDatabase();
    for (const url of Object.values(database.urls)) {
      await using connection = await connect({ url, applicationName: 'test' });
      const [limits] = await connection.query(
        `select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
                current_setting('idle_in_transaction_session_timeout') as idle`,
      );
      expect(limits).toEqual({ statement: '15s', lock: '5s', idle: '15s' });
    }
  });
});

const byName = (columns: readonly Column[]) =>
  columns
    .map(({ table, name, type, isNullable }) => `${table}.${name} ${type}${isNullable ? '' : ' not null'}`)
    .toSorted();

describe('the migrated catalogue is what the Prisma schema describes', () => {
  const file = path.resolve(MIGRATIONS_DIRECTORY, '../schema.prisma');
  it('in tables, columns, types and nullability', async () => {
    await using database = await createDatabase();
    await using admin = await openAdmin(database);

    const found = (await columnsOf(admin, 'public')).filter(({ table }) => table !== '_prisma_migrations');
    const { columns } = await readDataModel(file);

    expect(columns.length).toBeGreaterThan(100);
    expect(byName(found)).toEqual(byName(columns));
  });

  it('in the labels of its enums, in order', async () => {
    await using database = await createDatabase();
    await using admin = await openAdmin(database);

    const found = await admin.query<{ name: string; labels: string[] }>(
      `select typname as name, array_agg(enumlabel::text order by enumsortorder) as labels
         from pg_enum join pg_type on pg_type.oid = enumtypid group by typname`,
    );
    const { enums } = await readDataModel(file);

    expect(new Map(found.map(({ name, labels }) => [name, labels]))).toEqual(enums);
  });

  it('in its primary and unique keys', async () => {
    await using database = await createDatabase();
    await using admin = await openAdmin(database);

    const found = await admin.query<{ key: string }>(
      `select format('%s (%s)', conrelid::regclass, (
                select string_agg(attname, ', ' order by position)
                  from unnest(conkey) with ordinality as k (number, position)
                  join pg_attribute on attrelid = conrelid and attnum = number)) as key
         from pg_constraint where contype in ('p', 'u') and conrelid <> '_prisma_migrations'::regclass
          and connamespace = 'public'::regnamespace`,
    );
    const { keys } = await readDataModel(file);

    expect(found.map(({ key }) => key).toSorted()).toEqual([...keys].toSorted());
  });
});

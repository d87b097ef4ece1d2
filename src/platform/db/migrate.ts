import type { Logger } from 'pino';
import { messageOf, StartError } from '../../kernel/errors.ts';
import type { Random } from '../../kernel/random.ts';
import { systemRandom } from '../../kernel/random.ts';
import type { Connection } from './connect.ts';
import { connectOrSay, quoteLiteral, quoteName } from './connect.ts';
import { sqlStateOf } from './errors.ts';
import type { Migration } from './migrations.ts';
import { compareHistory, MIGRATIONS_DIRECTORY, readApplied, readMigrations } from './migrations.ts';
import type { LoginRole, Passwords } from './roles.ts';
import { ensureRoles, LOGIN_ROLE_NAMES, LOGIN_ROLES, newPasswords, OWNER_ROLE } from './roles.ts';
import { databaseOf, databaseUrl } from './url.ts';

export interface MigrateOptions {
  /** A login that may create roles and owns the database (or a superuser). Used for nothing else. */
  readonly adminUrl: string;
  /** The database to migrate, made when it is missing. Without it, the one that `adminUrl` names. */
  readonly database?: string;
  /** Sets the passwords of the roles to these. Without it, roles that exist keep theirs. */
  readonly passwords?: Passwords;
  /** Gives new passwords to roles that exist as well: every process needs the new settings afterwards. */
  readonly resetPasswords?: boolean;
  readonly migrationsDirectory?: string;
  readonly random?: Random;
  readonly logger: Logger;
}

/** The names under which a process is given its logins. */
export type DatabaseSetting =
  | 'DATABASE_URL'
  | 'DATABASE_AUTH_URL'
  | 'DATABASE_DISPATCHER_URL'
  | 'DATABASE_SYSTEM_URL'
  | 'DATABASE_LISTEN_URL';

export interface MigrateResult {
  /** Names of the migrations that this run applied. */
  readonly applied: readonly string[];
  /**
   * URL by setting, to be printed as `NAME=value`. Those of roles that kept a password are missing,
   * because nobody can read a password back.
   */
  readonly settings: ReadonlyMap<DatabaseSetting, string>;
  /** Roles whose password was left as it was. */
  readonly keptPasswords: readonly LoginRole[];
  /** `adminUrl` with the migrated database. */
  readonly adminUrl: string;
}

const SETTINGS: readonly (readonly [DatabaseSetting, LoginRole])[] = [
  ['DATABASE_URL', 'app'],
  ['DATABASE_AUTH_URL', 'auth'],
  ['DATABASE_DISPATCHER_URL', 'dispatcher'],
  ['DATABASE_SYSTEM_URL', 'system'],
  // Its own setting, because behind a transaction pooler it must go round it.
  ['DATABASE_LISTEN_URL', 'app'],
];

const APPLICATION_NAME = 'darkroom migrate';
const ADMIN = { whose: 'DATABASE_MIGRATE_URL', advice: 'start it, or correct the setting' };

// The number that `prisma migrate` locks too, so that neither runs into the other.
const ADVISORY_LOCK = 72707369;

// Column for column what `prisma migrate` makes, so that it takes our record for its own.
const HISTORY_TABLE = `create table if not exists public._prisma_migrations (
  id varchar(36) primary key not null,
  checksum varchar(64) not null,
  finished_at timestamptz,
  migration_name varchar(255) not null,
  logs text,
  rolled_back_at timestamptz,
  started_at timestamptz not null default now(),
  applied_steps_count integer not null default 0
)`;

const REFUSED_STATES: ReadonlySet<string | null> = new Set(['42501', '28P01', '28000', '3D000']);

/**
 * Makes the roles, the schema's owner and whatever migrations are missing, each migration and its
 * record in one transaction. Running it again changes nothing; two at once wait for each other.
 *
 * Rejects with a `StartError` when the record in the database and the files disagree (a file changed
 * or missing, a migration that failed half-way), when a migration fails (its transaction is undone,
 * those before it stay), or when the login may not do this.
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const { random = systemRandom, logger } = options;
  const migrations = await readMigrations(options.migrationsDirectory ?? MIGRATIONS_DIRECTORY);
  const passwords = options.passwords ?? newPasswords(random);
  try {
    const adminUrl = await ensureDatabase(options);
    await using admin = await open(adminUrl);
    // Held by the session, so that it outlasts the transactions below and ends with the connection.
    await admin.query(`select pg_advisory_lock(${ADVISORY_LOCK})`);
    const setExisting = options.passwords !== undefined || options.resetPasswords === true;
    const keptPasswords = await ensureRoles(admin, passwords, { setExisting });
    await becomeOwner(admin);
    const applied = await applyPending(admin, migrations, logger);
    return { applied, settings: settingsOf(adminUrl, passwords, keptPasswords), keptPasswords, adminUrl };
  } catch (cause) {
    if (!REFUSED_STATES.has(sqlStateOf(cause))) throw cause;
    throw new StartError(
      `The login of the migration was refused (${messageOf(cause)}): it must be able to create roles and own the ` +
        'database, as its DATABASE_MIGRATE_URL names them.',
      { cause },
    );
  }
}

/** What the server refuses passes through; it is told with the rest of what a migration may be refused. */
async function open(url: string): Promise<Connection> {
  try {
    return await connectOrSay(ADMIN, { url, applicationName: APPLICATION_NAME });
  } catch (error) {
    const cause = error instanceof StartError ? error.cause : error;
    throw sqlStateOf(cause) === null ? error : cause;
  }
}

/** Returns the administrator's URL for the database to migrate. */
async function ensureDatabase({ adminUrl, database, logger }: MigrateOptions): Promise<string> {
  if (database === undefined || database === databaseOf(adminUrl)) return adminUrl;
  await using admin = await open(adminUrl);
  const found = await admin.query(`select from pg_database where datname = ${quoteLiteral(database)}`);
  if (found.length === 0) {
    try {
      await admin.query(`create database ${quoteName(database)} template template0 encoding 'UTF8'`);
      logger.info({ database }, 'made the database');
    } catch (error) {
      // Another migration made it at the same moment.
      if (sqlStateOf(error) !== '42P04' && sqlStateOf(error) !== '23505') throw error;
    }
  }
  return databaseUrl(adminUrl, { database });
}

/** From here the connection acts as the owner role, which owns the schema and so whatever is made in it. */
async function becomeOwner(admin: Connection): Promise<void> {
  const owner = quoteName(OWNER_ROLE);
  const [schema] = await admin.query<{ owner: string; database: string }>(
    `select pg_get_userbyid(nspowner) as owner, current_database() as database from pg_namespace where nspname = 'public'`,
  );
  if (schema === undefined)
    throw new StartError('The database has no schema "public": create it, then migrate again.');
  if (schema.owner !== OWNER_ROLE) {
    await admin.query(`grant create on database ${quoteName(schema.database)} to ${owner}`);
    await admin.query(`alter schema public owner to ${owner}`);
  }
  await admin.query(`set role ${owner}`);
  // The default before Postgres 15, and what restored databases still carry.
  await admin.query('revoke create on schema public from public');
}

async function applyPending(
  owner: Connection,
  migrations: readonly Migration[],
  logger: Logger,
): Promise<readonly string[]> {
  await owner.query(HISTORY_TABLE);
  // Every process reads it at its start, to refuse a schema that it was not written for.
  const readers = LOGIN_ROLE_NAMES.map((role) => LOGIN_ROLES[role]).join(', ');
  await owner.query(`grant select on public._prisma_migrations to ${readers}`);
  const { pending, faults } = compareHistory(migrations, (await readApplied(owner)) ?? []);
  if (faults.length > 0) throw new StartError(`The database cannot be migrated: ${faults.join('; ')}.`);
  for (const migration of pending) {
    await apply(owner, migration);
    logger.info({ migration: migration.name }, 'applied a migration');
  }
  return pending.map(({ name }) => name);
}

async function apply(owner: Connection, { name, sql, checksum }: Migration): Promise<void> {
  await owner.query('begin');
  try {
    const [row] = await owner.query<{ id: string }>(
      `insert into public._prisma_migrations (id, checksum, migration_name, started_at)
       values (gen_random_uuid()::text, $1, $2, clock_timestamp()) returning id`,
      [checksum, name],
    );
    await owner.query(sql);
    await owner.query(
      `update public._prisma_migrations set finished_at = clock_timestamp(), applied_steps_count = 1 where id = $1`,
      [row?.id],
    );
    await owner.query('commit');
  } catch (cause) {
    await owner.query('rollback').catch(() => undefined);
    throw new StartError(`Migration ${name} failed and was undone: ${messageOf(cause)}.`, { cause });
  }
}

function settingsOf(
  adminUrl: string,
  passwords: Passwords,
  kept: readonly LoginRole[],
): ReadonlyMap<DatabaseSetting, string> {
  return new Map(
    SETTINGS.filter(([, role]) => !kept.includes(role)).map(([setting, role]) => [
      setting,
      databaseUrl(adminUrl, { user: LOGIN_ROLES[role], password: passwords[role] }),
    ]),
  );
}

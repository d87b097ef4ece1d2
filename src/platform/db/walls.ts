import { StartError } from '../../kernel/errors.ts';
import type { Connection } from './connect.ts';
import { connectOrSay, placeIn } from './connect.ts';
import { compareHistory, MIGRATIONS_DIRECTORY, readApplied, readMigrations } from './migrations.ts';
import { databaseOf } from './url.ts';

export interface WallsOptions {
  /** Login URLs by the setting that gave them (`DATABASE_URL`, …): every one that this process uses. */
  readonly urls: Readonly<Record<string, string>>;
  readonly migrationsDirectory?: string;
}

const APPLICATION_NAME = 'darkroom start-up check';

/** One thing that must not be there, and what to do about it. */
interface Rule {
  /** Yields one row per fault, its column `what` naming the culprit. */
  readonly sql: string;
  readonly explain: (what: string) => string;
}

// Relations of ours: not the system's, and not an extension's.
const OURS = `n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')`;

// Asked by each login, about itself.
const ROLE_RULES: readonly Rule[] = [
  {
    sql: `select rolname as what from pg_roles where rolsuper and pg_has_role(session_user, oid, 'MEMBER')`,
    explain: (role) => `is or may become the superuser ${role}, whom no row-level security holds`,
  },
  {
    sql: `select rolname as what from pg_roles
           where rolbypassrls and not rolsuper and pg_has_role(session_user, oid, 'MEMBER')`,
    explain: (role) => `is or may become ${role}, which has BYPASSRLS`,
  },
  {
    sql: `select format('%I.%I', n.nspname, c.relname) as what
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind in ('r', 'p', 'v', 'm', 'f') and ${OURS}
             and not (select rolsuper from pg_roles where rolname = session_user)
             and pg_has_role(session_user, c.relowner, 'MEMBER')
           order by 1 limit 1`,
    explain: (table) =>
      `owns ${table} (itself or through a role), and an owner can switch row-level security off`,
  },
  {
    sql: `select format('%I.%I', n.nspname, c.relname) as what
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind = 'm' and ${OURS} and has_table_privilege(session_user, c.oid, 'SELECT')`,
    explain: (view) =>
      `may read the materialized view ${view}, which row-level security does not cover: revoke it`,
  },
];

// The same whoever asks, so asked once.
const CATALOGUE_RULES: readonly Rule[] = [
  {
    sql: `select format('%I.%I', n.nspname, c.relname) as what
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind in ('r', 'p') and ${OURS}
             and not (c.relrowsecurity and c.relforcerowsecurity)
             and (c.relname = 'tenant' or exists (
               select from pg_attribute a where a.attrelid = c.oid and not a.attisdropped
                  and a.attname in ('tenant_id', 'owner_id')))`,
    explain: (table) =>
      `table ${table} belongs to tenants and has no forced row-level security: ` +
      `alter table ${table} enable row level security, force row level security`,
  },
  {
    sql: `select format('%I.%I', n.nspname, c.relname) as what
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind = 'v' and ${OURS}
             and not coalesce((
               select option_value::boolean from pg_options_to_table(c.reloptions)
                where option_name = 'security_invoker'), false)`,
    explain: (view) =>
      `view ${view} reads with its owner's rights: alter view ${view} set (security_invoker = true)`,
  },
  {
    sql: `select c.oid::regprocedure::text as what
            from pg_proc c join pg_namespace n on n.oid = c.pronamespace
           where c.prosecdef and ${OURS}
             and not exists (select from unnest(c.proconfig) as setting where setting like 'search\\_path=%')`,
    explain: (name) =>
      `function ${name} is SECURITY DEFINER without a fixed search_path: alter function ${name} set search_path = ''`,
  },
];

/**
 * Refuses a database in which one tenant could see another's rows, or whose schema is not the one
 * that this program was written for: run before anything is served.
 *
 * Rejects with a `StartError` that names every fault found and what to do about it: a migration
 * missing, unknown, changed or failed; a login that is superuser, has BYPASSRLS, or owns something;
 * a tenant's table without forced row-level security; a view that is no security invoker; a readable
 * materialized view; a SECURITY DEFINER function without a fixed search_path.
 */
export async function checkWalls({
  urls,
  migrationsDirectory = MIGRATIONS_DIRECTORY,
}: WallsOptions): Promise<void> {
  const faults: string[] = [];
  // By database: several settings usually name one, and what concerns the database is said once.
  const checked = new Set<string>();
  for (const [setting, url] of Object.entries(urls)) {
    await using connection = await connectOrSay(placeIn(setting), { url, applicationName: APPLICATION_NAME });
    for (const fault of await faultsBy(connection, ROLE_RULES))
      faults.push(`the login of ${setting} ${fault}`);
    const database = `${new URL(url).host}/${databaseOf(url)}`;
    if (checked.has(database)) continue;
    checked.add(database);
    faults.push(...(await schemaFaults(connection, migrationsDirectory)));
    faults.push(...(await faultsBy(connection, CATALOGUE_RULES)));
  }
  if (faults.length > 0)
    throw new StartError(`The database is not safe to serve from: ${faults.join('; ')}.`);
}

async function schemaFaults(connection: Connection, directory: string): Promise<readonly string[]> {
  const applied = await readApplied(connection);
  if (applied === null) return ['it was never migrated: run darkroom migrate'];
  const { pending, faults } = compareHistory(await readMigrations(directory), applied);
  const missing = pending.map(({ name }) => `migration ${name} is missing: run darkroom migrate`);
  return [...missing, ...faults];
}

async function faultsBy(connection: Connection, rules: readonly Rule[]): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const { sql, explain } of rules) {
    const rows = await connection.query<{ what: string }>(sql);
    faults.push(...rows.map(({ what }) => explain(what)));
  }
  return faults;
}

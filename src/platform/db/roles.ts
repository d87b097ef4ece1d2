import { createHmac } from 'node:crypto';
import type { Random } from '../../kernel/random.ts';
import type { Connection } from './connect.ts';
import { quoteLiteral, quoteName } from './connect.ts';
import { sqlStateOf } from './errors.ts';

/** Who owns the tables. Nobody logs in as it: `migrate` becomes it, and it has no password until an operator gives one. */
export const OWNER_ROLE = 'darkroom_owner';

/** The roles that processes log in as, none of which owns anything. */
export const LOGIN_ROLES = {
  app: 'darkroom_app',
  auth: 'darkroom_auth',
  dispatcher: 'darkroom_dispatcher',
  system: 'darkroom_system',
} as const;

export type LoginRole = keyof typeof LOGIN_ROLES;

export const LOGIN_ROLE_NAMES: readonly LoginRole[] = ['app', 'auth', 'dispatcher', 'system'];

/** A password of each role. */
export type Passwords = Readonly<Record<LoginRole, string>>;

// Bounds on what one client may do to the others. They are the role's, so they hold for a psql of the
// operator as for our pools, and behind a transaction pooler, which refuses them at connection.
const LIMITS: Readonly<Record<string, string>> = {
  statement_timeout: '15s',
  lock_timeout: '5s',
  idle_in_transaction_session_timeout: '15s',
};

const ATTRIBUTES = 'login nosuperuser nobypassrls nocreaterole nocreatedb noreplication';
const PASSWORD_BYTES = 24;
const ALREADY_THERE: ReadonlySet<string | null> = new Set(['42710', '23505']);

/** The same passwords for the same secret, so that an embedded cluster needs to keep none. */
export function passwordsFrom(secret: string): Passwords {
  return passwordsBy((role) =>
    createHmac('sha256', secret).update(`postgres role ${role}`).digest('base64url'),
  );
}

/** New passwords that nobody can guess. */
export function newPasswords(random: Random): Passwords {
  return passwordsBy(() => Buffer.from(random.bytes(PASSWORD_BYTES)).toString('base64url'));
}

function passwordsBy(passwordOf: (role: LoginRole) => string): Passwords {
  return {
    app: passwordOf('app'),
    auth: passwordOf('auth'),
    dispatcher: passwordOf('dispatcher'),
    system: passwordOf('system'),
  };
}

/**
 * Makes the five roles that are missing and sets the attributes and limits of those that exist.
 * Returns the login roles whose passwords it did not touch: those that were there before, unless
 * `setExisting`.
 */
export async function ensureRoles(
  admin: Connection,
  passwords: Passwords,
  { setExisting }: { readonly setExisting: boolean },
): Promise<readonly LoginRole[]> {
  await ensureRole(admin, OWNER_ROLE);
  await allowActingAs(admin, OWNER_ROLE);

  const kept: LoginRole[] = [];
  for (const role of LOGIN_ROLE_NAMES) {
    const name = LOGIN_ROLES[role];
    const isNew = await ensureRole(admin, name);
    if (isNew || setExisting) await setPassword(admin, name, passwords[role]);
    else kept.push(role);
    for (const [setting, value] of Object.entries(LIMITS)) {
      await admin.query(`alter role ${quoteName(name)} set ${setting} = ${quoteLiteral(value)}`);
    }
  }
  return kept;
}

// An administrator who is no superuser may make a role and still not act as it. Before Postgres 16
// every member may; since then a membership says so.
async function allowActingAs(admin: Connection, name: string): Promise<void> {
  const [server] = await admin.query<{ major: number }>(
    `select current_setting('server_version_num')::int / 10000 as major`,
  );
  const isOld = (server?.major ?? 0) < 16;
  const [able] = await admin.query<{ can: boolean }>(
    `select pg_has_role(current_user, ${quoteLiteral(name)}, '${isOld ? 'MEMBER' : 'SET'}') as can`,
  );
  if (able?.can === true) return;
  await admin.query(`grant ${quoteName(name)} to current_user ${isOld ? '' : 'with set true'}`);
}

/** Says whether the role was missing. */
async function ensureRole(admin: Connection, name: string): Promise<boolean> {
  const [found] = await admin.query<{ fits: boolean }>(
    `select rolcanlogin and not (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication) as fits
       from pg_roles where rolname = ${quoteLiteral(name)}`,
  );
  if (found?.fits === true) return false;
  if (found !== undefined) {
    await admin.query(`alter role ${quoteName(name)} ${ATTRIBUTES}`);
    return false;
  }
  try {
    await admin.query(`create role ${quoteName(name)} ${ATTRIBUTES}`);
    return true;
  } catch (error) {
    // Roles belong to the cluster: a migration of another database in it may just have made this one.
    if (ALREADY_THERE.has(sqlStateOf(error))) return false;
    throw error;
  }
}

async function setPassword(admin: Connection, name: string, password: string): Promise<void> {
  await admin.query(`alter role ${quoteName(name)} password ${quoteLiteral(password)}`);
}

import { StartError } from '../kernel/errors.ts';
import type { Role } from './roles.ts';

/** The logins of a platform: one per database role of it, and the way for LISTEN past any pooler. */
export const LOGINS = ['app', 'auth', 'dispatcher', 'system', 'listen'] as const;
export type Login = (typeof LOGINS)[number];

/** The logins that a process has, as URLs; what is missing it was not given. */
export type DatabaseUrls = Readonly<Partial<Record<Login, string>>>;

const SETTINGS = {
  app: 'DATABASE_URL',
  auth: 'DATABASE_AUTH_URL',
  dispatcher: 'DATABASE_DISPATCHER_URL',
  system: 'DATABASE_SYSTEM_URL',
  listen: 'DATABASE_LISTEN_URL',
} as const satisfies Record<Login, string>;

/** What each role works with, and all that a process of it keeps. */
const NEEDED: Readonly<Record<Role, readonly Login[]>> = {
  api: ['app', 'auth', 'listen'],
  dispatcher: ['dispatcher', 'listen'],
  background: ['system'],
};

/**
 * Those of `given` that `roles` need, and no other. Throws a `StartError` that names the settings of the
 * missing ones, and which role needs each.
 */
export function loginsOf(roles: ReadonlySet<Role>, given: DatabaseUrls): DatabaseUrls {
  const missing = [...roles].flatMap((role) => {
    const names = NEEDED[role].filter((login) => given[login] === undefined).map((login) => SETTINGS[login]);
    return names.length === 0 ? [] : [`${names.join(', ')} missing, which the role ${role} needs`];
  });
  if (missing.length > 0) {
    throw new StartError(
      `An external Postgres needs the logins of the roles that a process has: ${missing.join('; ')}. ` +
        '`darkroom migrate` prints them.',
    );
  }
  const needed = new Set([...roles].flatMap((role) => NEEDED[role]));
  return pick(given, (login) => needed.has(login));
}

/** The logins by the names of their settings, for messages about them. */
export function settingNames(urls: DatabaseUrls): Readonly<Record<string, string>> {
  return Object.fromEntries(
    LOGINS.flatMap((login) => (urls[login] === undefined ? [] : [[SETTINGS[login], urls[login]]])),
  );
}

/** The logins among settings, by the names that `settingNames` gives them; null when there is none at all. */
export function loginsIn(
  settings: Readonly<Partial<Record<(typeof SETTINGS)[Login], string | undefined>>>,
): DatabaseUrls | null {
  const found = LOGINS.flatMap((login) => {
    const url = settings[SETTINGS[login]];
    return url === undefined ? [] : [[login, url] as const];
  });
  return found.length === 0 ? null : Object.freeze(Object.fromEntries(found));
}

/** Whether nothing that both have differs. */
export function agree(one: DatabaseUrls, other: DatabaseUrls): boolean {
  return LOGINS.every(
    (login) => one[login] === undefined || other[login] === undefined || one[login] === other[login],
  );
}

function pick(urls: DatabaseUrls, isMeant: (login: Login) => boolean): DatabaseUrls {
  return Object.fromEntries(Object.entries(urls).filter(([login]) => isMeant(login as Login)));
}

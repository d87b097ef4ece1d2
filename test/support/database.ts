import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import type { LoginRole, Passwords } from '../../src/platform/db/index.ts';
import { LOGIN_ROLES, passwordsFrom } from '../../src/platform/db/index.ts';
import { connect, quoteName } from '../../src/platform/db/connect.ts';
import { databaseUrl } from '../../src/platform/db/url.ts';

export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  /** The superuser, in this database: to plant what no role of ours may write, never to prove isolation. */
  readonly adminUrl: string;
  /** The four logins, and the app's again for LISTEN. */
  readonly urls: Readonly<Record<LoginRole | 'listen', string>>;
}

const APPLICATION_NAME = 'darkroom test';

/** Copies the migrated template into a database of its own; disposing drops it, connections or not. */
export async function createDatabase({
  empty = false,
}: { readonly empty?: boolean } = {}): Promise<TestDatabase> {
  const { adminUrl, template, secret } = inject('postgres');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await runAsAdmin(
    adminUrl,
    `create database ${quoteName(name)} template ${empty ? 'template0' : quoteName(template)}`,
  );
  const passwords = passwordsFrom(secret);
  return {
    name,
    adminUrl: databaseUrl(adminUrl, { database: name }),
    urls: urlsOf(adminUrl, name, passwords),
    [Symbol.asyncDispose]: () =>
      runAsAdmin(adminUrl, `drop database if exists ${quoteName(name)} with (force)`),
  };
}

async function runAsAdmin(url: string, sql: string): Promise<void> {
  await using admin = await connect({ url, applicationName: APPLICATION_NAME });
  await admin.query(sql);
}

/** How each role logs into the database `name` of a server. */
export function urlsOf(adminUrl: string, name: string, passwords: Passwords): TestDatabase['urls'] {
  const urlOf = (role: LoginRole) =>
    databaseUrl(adminUrl, { user: LOGIN_ROLES[role], password: passwords[role], database: name });
  return {
    app: urlOf('app'),
    auth: urlOf('auth'),
    dispatcher: urlOf('dispatcher'),
    system: urlOf('system'),
    listen: urlOf('app'),
  };
}

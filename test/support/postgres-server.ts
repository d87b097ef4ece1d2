import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import type { TestProject } from 'vitest/node';
import { migrate, passwordsFrom } from '../../src/platform/db/index.ts';
import { startPostgres } from '../../src/platform/postgres/start-postgres.ts';
import { startGuardian } from '../../src/platform/process/guardian.ts';

/** What a test needs to make databases of its own; `createDatabase` is the way to use it. */
export interface ProvidedPostgres {
  /** The superuser over TCP. */
  readonly adminUrl: string;
  /** A migrated database that nobody connects to, so that it can be copied at any time. */
  readonly template: string;
  /** What the passwords of the roles are derived from. */
  readonly secret: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres: ProvidedPostgres;
  }
}

interface SharedServer extends AsyncDisposable {
  readonly provided: ProvidedPostgres;
}

// Each project loads this file anew, but they run in one process and share what it holds globally.
interface Shared {
  darkroomTestPostgres?: { users: number; readonly server: Promise<SharedServer> };
}
const shared: typeof globalThis & Shared = globalThis;

/** Starts one ephemeral Postgres for all projects of the run; the last one to end stops it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const use = (shared.darkroomTestPostgres ??= { users: 0, server: startServer() });
  use.users += 1;
  const server = await use.server;
  project.provide('postgres', server.provided);
  return async () => {
    use.users -= 1;
    if (use.users > 0) return;
    delete shared.darkroomTestPostgres;
    await server[Symbol.asyncDispose]();
  };
}

async function startServer(): Promise<SharedServer> {
  const logger = pino({ level: 'silent' });
  await using stack = new AsyncDisposableStack();
  const guardian = stack.use(await startGuardian({ logger }));
  const directory = await mkdtemp(path.join(tmpdir(), 'darkroom-test-'));
  guardian.watchDirectory(directory);
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const secret = randomBytes(16).toString('hex');
  const dataDirectory = path.join(directory, 'postgres');
  const postgres = stack.use(
    await startPostgres({
      dataDirectory,
      port: 0,
      superuserPassword: secret,
      isEphemeral: true,
      guardian,
      logger,
    }),
  );
  const { adminUrl } = postgres;
  const template = 'darkroom_template';
  await migrate({ adminUrl, database: template, passwords: passwordsFrom(secret), logger });
  const owned = stack.move();
  return {
    provided: { adminUrl, template, secret },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

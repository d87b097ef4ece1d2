import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { migrate, passwordsFrom } from '../../src/platform/db/index.ts';
import { databaseUrl } from '../../src/platform/db/url.ts';
import type { EmbeddedPostgres } from '../../src/platform/postgres/start-postgres.ts';
import { startPostgres } from '../../src/platform/postgres/start-postgres.ts';
import { startGuardian } from '../../src/platform/process/guardian.ts';
import type { TestDatabase } from './database.ts';
import { urlsOf } from './database.ts';

/** A migrated database on a server of its own, for tests that take the server away. */
export interface OwnPostgres extends AsyncDisposable {
  readonly database: TestDatabase;
  /** Ends it at once, as the kernel does when memory runs out; resolves when it is gone. */
  kill(): Promise<void>;
  /** Stops it in an orderly way, connections or not. */
  stop(): Promise<void>;
  /** Starts it again on its port, with what had been committed. */
  start(): Promise<void>;
}

export async function startOwnPostgres(): Promise<OwnPostgres> {
  const logger = pino({ level: 'silent' });
  await using stack = new AsyncDisposableStack();
  const guardian = stack.use(await startGuardian({ logger }));
  const directory = await mkdtemp(join(tmpdir(), 'darkroom-own-postgres-'));
  guardian.watchDirectory(directory);
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const secret = randomBytes(16).toString('hex');
  const open = (port: number): Promise<EmbeddedPostgres> =>
    startPostgres({
      dataDirectory: join(directory, 'postgres'),
      port,
      superuserPassword: secret,
      isEphemeral: true,
      guardian,
      logger,
    });
  let server = await open(0);
  stack.defer(() => server[Symbol.asyncDispose]());
  const { adminUrl, port } = server;
  const name = 'darkroom';
  const passwords = passwordsFrom(secret);
  await migrate({ adminUrl, database: name, passwords, logger });
  const owned = stack.move();
  return {
    database: {
      name,
      adminUrl: databaseUrl(adminUrl, { database: name }),
      urls: urlsOf(adminUrl, name, passwords),
      async [Symbol.asyncDispose]() {},
    },
    async kill() {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    async stop() {
      await server[Symbol.asyncDispose]();
    },
    async start() {
      server = await open(port);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

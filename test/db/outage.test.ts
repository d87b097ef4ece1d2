import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Id } from '../../src/kernel/ids.ts';
import type { Db } from '../../src/platform/db/index.ts';
import {
  inTransaction,
  isRetryableDatabaseError,
  migrate,
  openDb,
  openListener,
  passwordsFrom,
  withTenant,
} from '../../src/platform/db/index.ts';
import type { EmbeddedPostgres } from '../../src/platform/postgres/index.ts';
import { startPostgres } from '../../src/platform/postgres/index.ts';
import { startGuardian } from '../../src/platform/process/index.ts';

const A = `ten_${'A'.repeat(26)}` as Id<'tenant'>;
const CLIENTS = 12;
const SOON = { timeout: 20_000, interval: 20 };

const stack = new AsyncDisposableStack();
const logger = pino({ level: 'silent' });
let startServer: (port: number) => Promise<EmbeddedPostgres>;
let server: EmbeddedPostgres;
let urls: Record<'app' | 'system' | 'listen', string>;

// A server of its own, for it is going to be killed.
beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'darkroom-outage-'));
  const guardian = stack.use(await startGuardian({ logger }));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  startServer = (port) =>
    startPostgres({
      dataDirectory: join(directory, 'postgres'),
      port,
      superuserPassword: 'the administrator',
      isEphemeral: true,
      guardian,
      logger,
    });
  server = await startServer(0);
  stack.defer(() => server[Symbol.asyncDispose]());
  const { adminUrl } = server;
  const { settings } = await migrate({
    adminUrl,
    database: 'darkroom',
    passwords: passwordsFrom('x'),
    logger,
  });
  const url = (name: Parameters<typeof settings.get>[0]) => settings.get(name) ?? '';
  urls = {
    app: url('DATABASE_URL'),
    system: url('DATABASE_SYSTEM_URL'),
    listen: url('DATABASE_LISTEN_URL'),
  };
});

afterAll(() => stack.disposeAsync());

const KINDS: Record<string, (db: Db) => Promise<unknown>> = {
  query: (db) => db.job.count(),
  'raw query': (db) => db.$queryRaw`select 1 from pg_sleep(0.002)`,
  'raw execute': (db) => db.$executeRaw`select pg_notify('darkroom_test', 'x')`,
  'transaction of a tenant': (db) =>
    withTenant(db, A, async (tx) => {
      await tx.job.findMany({ take: 1 });
      await tx.$queryRaw`select 1 from pg_sleep(0.002)`;
      return tx.job.count();
    }),
  'transaction of the platform': (db) =>
    inTransaction(db, async (tx) => {
      await tx.$executeRaw`select 1`;
      return tx.job.groupBy({ by: ['state'] });
    }),
};

interface Load {
  readonly done: { value: number };
  /** By kind of work. */
  readonly errors: Map<string, unknown[]>;
  stop(): Promise<void>;
}

/** Clients of one pool, each of which asks again as soon as it has been answered. */
function putUnderLoad(db: Db): Load {
  const done = { value: 0 };
  const errors = new Map<string, unknown[]>();
  let isStopping = false;
  const kinds = Object.entries(KINDS);
  const clients = Array.from({ length: CLIENTS }, async (_, index) => {
    const [kind, work] = kinds[index % kinds.length] ?? ['none', async () => {}];
    while (!isStopping) {
      try {
        await work(db);
        done.value += 1;
      } catch (error) {
        errors.set(kind, [...(errors.get(kind) ?? []), error]);
      }
    }
  });
  return {
    done,
    errors,
    async stop() {
      isStopping = true;
      await Promise.all(clients);
    },
  };
}

/** What a person needs to see of an error that was taken for a fault of ours. */
function shapeOf(error: unknown): string {
  return JSON.stringify(error, (_, value: unknown) =>
    value instanceof Error
      ? { ...value, message: value.message, name: value.name, cause: value.cause }
      : value,
  );
}

describe('while the server goes away and comes back under load', () => {
  it.each([
    ['killed', 'SIGKILL'],
    ['stopped at once', 'SIGQUIT'],
    ['stopped in an orderly way', 'SIGINT'],
  ] as const)('%s: every error is retryable, and pool and listener heal by themselves', async (_, signal) => {
    const db = openDb({ url: urls.app, poolMax: 6, applicationName: 'test' });
    const heard: string[] = [];
    await using listener = await openListener({ url: urls.listen, logger });
    await listener.listen('darkroom_outage', (payload) => heard.push(payload));
    const load = putUnderLoad(db);
    await expect.poll(() => load.done.value, SOON).toBeGreaterThan(100);

    process.kill(server.pid, signal);
    await server.exited;
    await expect.poll(() => load.errors.size, SOON).toBe(Object.keys(KINDS).length);
    server = await startServer(server.port);
    const before = load.done.value;
    await expect.poll(() => load.done.value, SOON).toBeGreaterThan(before + 100);
    await expect
      .poll(async () => {
        await db.$executeRaw`select pg_notify('darkroom_outage', 'back')`;
        return heard.includes('back');
      }, SOON)
      .toBe(true);
    await load.stop();
    await db.$disconnect();

    const unknown = [...load.errors].flatMap(([kind, errors]) =>
      errors.filter((error) => !isRetryableDatabaseError(error)).map((error) => `${kind}: ${shapeOf(error)}`),
    );
    expect([...new Set(unknown)]).toEqual([]);
  });
});

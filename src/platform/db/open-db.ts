import { PrismaPg } from '@prisma/adapter-pg';
import type pg from 'pg';
import type { Prisma } from '../../generated/prisma/client.ts';
import { PrismaClient } from '../../generated/prisma/client.ts';
import type { Backoff } from '../../kernel/backoff.ts';
import { backoffMs } from '../../kernel/backoff.ts';
import type { Clock } from '../../kernel/clock.ts';
import { systemClock } from '../../kernel/clock.ts';
import type { Id } from '../../kernel/ids.ts';
import type { Outage } from '../../kernel/outage.ts';
import type { Random } from '../../kernel/random.ts';
import { systemRandom } from '../../kernel/random.ts';
import { isTransactionConflict } from './errors.ts';

/** A pool of connections of one role. Stores take it, or a transaction of it, as their first argument. */
export type Db = PrismaClient;

/** One open transaction: what `withTenant` and `inTransaction` hand to their callback. */
export type Tx = Prisma.TransactionClient;

export interface DbOptions {
  /** `postgres://role:password@host:port/database` */
  readonly url: string;
  /** Connections at most. Each open transaction holds one, so this bounds the transactions at once. */
  readonly poolMax: number;
  /** Shown in `pg_stat_activity`, so that an operator sees whose connection it is. */
  readonly applicationName: string;
  /** Told how every query and transaction of the pool ends. */
  readonly outage?: Outage;
}

// A request that cannot get a connection must fail while its client still waits: the errors are
// retryable and reach the client as UNAVAILABLE, well inside two seconds.
const CONNECT_TIMEOUT_MS = 1_500;

// Longest a transaction may stay open. No engine call, no upload happens inside one, so a longer one
// is a fault, and it would hold row locks and keep vacuum from cleaning up.
const TRANSACTION_TIMEOUT_MS = 10_000;

/**
 * Opens a pool; connects at the first query. Close it with `$disconnect()`.
 *
 * The time limits on statements, locks and idle transactions are settings of the roles (made by
 * `migrate`), not of the connection: a transaction pooler refuses start-up parameters that it does
 * not know, and a role's settings hold for every client of that role.
 */
export function openDb({ url, poolMax, applicationName, outage }: DbOptions): Db {
  const adapter = new PrismaPg({
    connectionString: url,
    max: poolMax,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    onConnect: listenForLoss,
  });
  const db = new PrismaClient({
    adapter,
    errorFormat: 'minimal',
    transactionOptions: { maxWait: CONNECT_TIMEOUT_MS, timeout: TRANSACTION_TIMEOUT_MS },
  });
  return outage === undefined ? db : watched(db, outage);
}

// What stores call on a pool itself; all else they call on a transaction, whose end is told as one.
const WATCHED: ReadonlySet<unknown> = new Set(['$transaction', '$queryRaw', '$executeRaw']);

function watched(db: Db, outage: Outage): Db {
  return new Proxy(db, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (!WATCHED.has(name) || typeof value !== 'function') return value;
      return (...args: readonly unknown[]) =>
        outage.watch<unknown>(async () => await Reflect.apply(value, target, args));
    },
  });
}

/**
 * Neither the pool nor the adapter listens to a connection in every moment of its use, and a server that
 * ends in one of the others would end this process with it: an error that nobody listens to is thrown.
 * Whoever uses the connection is told by the query that fails.
 */
function listenForLoss(client: Pick<pg.ClientBase, 'on'>): void {
  client.on('error', () => undefined);
}

export interface TransactionOptions {
  readonly isolation?: Prisma.TransactionIsolationLevel;
  readonly clock?: Clock;
  readonly random?: Random;
}

// Conflicts come from writers that met by chance, so a short wait nearly always parts them; more
// attempts than this mean a hot row, which waiting does not cool.
const CONFLICT_ATTEMPTS = 4;
const CONFLICT_BACKOFF: Backoff = { firstMs: 10, maxMs: 200 };

/**
 * Runs `work` in one transaction that sees the rows of `tenantId` only, whatever its queries say:
 * row-level security reads the setting that is made first, and it ends with the transaction, so that
 * a pooled connection carries no tenant to its next user.
 *
 * Starts again from the beginning, at most three times, when the server reports a conflict (SQLSTATE
 * 40001, 40P01): `work` must do nothing outside the transaction. Rejects with whatever `work` rejects
 * with, after a rollback; `isRetryableDatabaseError` tells a database that could not serve.
 */
export function withTenant<T>(db: Db, tenantId: Id<'tenant'>, work: (tx: Tx) => Promise<T>): Promise<T> {
  const asTenant = async (tx: Tx) => {
    await tx.$executeRaw`select set_config('app.tenant', ${tenantId}, true)`;
    return work(tx);
  };
  return inTransaction(db, asTenant);
}

/**
 * Runs `work` in one transaction of a role that is admitted without a tenant (dispatcher, system).
 * Conflicts and errors are as with `withTenant`.
 */
export async function inTransaction<T>(
  db: Db,
  work: (tx: Tx) => Promise<T>,
  { isolation, clock = systemClock, random = systemRandom }: TransactionOptions = {},
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await db.$transaction(work, isolation === undefined ? {} : { isolationLevel: isolation });
    } catch (error) {
      if (attempt + 1 >= CONFLICT_ATTEMPTS || !isTransactionConflict(error)) throw error;
      await clock.sleep(backoffMs(CONFLICT_BACKOFF, attempt, random));
    }
  }
}

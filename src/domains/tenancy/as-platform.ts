import { DomainError } from '../../kernel/errors.ts';
import type { Db, Tx } from '../../platform/db/index.ts';
import { inTransaction, isRetryableDatabaseError } from '../../platform/db/index.ts';

// Long enough for a pool to heal after a restart of the database, short enough to be worth the wait.
const RETRY_AFTER_MS = 1_000;

/** One transaction of a role that is admitted without a tenant. Errors are as with `TenantDb`. */
export function asPlatform<T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  return orUnavailable(() => inTransaction(db, work));
}

/** Runs `work`, telling a database that cannot serve right now as UNAVAILABLE. */
export async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isRetryableDatabaseError(error)) throw error;
    throw new DomainError('UNAVAILABLE', 'The database cannot be reached right now. Try again in a moment.', {
      retryAfterMs: RETRY_AFTER_MS,
      cause: error,
    });
  }
}

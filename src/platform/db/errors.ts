import { DomainError } from '../../kernel/errors.ts';

// What went wrong in the database, by code. Prisma and `pg` each wrap the server's SQLSTATE in their
// own way; this file is the only one that knows how.

// Prisma's own codes. P2028 is "no connection or no time left for a transaction", P2034 a conflict.
const UNAVAILABLE_PRISMA_CODES: ReadonlySet<string> = new Set([
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
  'P2028',
  'P2034',
  'P2037',
]);

const CONFLICT_STATES: ReadonlySet<string> = new Set(['40001', '40P01']);

// Whole class 08 (connection exceptions) counts besides these.
const UNAVAILABLE_STATES: ReadonlySet<string> = new Set([
  ...CONFLICT_STATES,
  // A standby answers: after a failover the pool may still hold connections to the old primary.
  '25006',
  '25P03',
  '53300',
  '55P03',
  '57014',
  '57P01',
  '57P02',
  '57P03',
  '57P05',
]);

// The adapter's names for what `pg` could not even ask the server. A raw query that fails so has Prisma's
// code P2010, like any other that fails.
const UNAVAILABLE_KINDS: ReadonlySet<string> = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
  'TransactionWriteConflict',
]);

const SOCKET_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

// `pg` and its pool throw these as plain errors without any code, so their text is all there is.
const LOST_CONNECTION_MESSAGES: ReadonlySet<string> = new Set([
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'timeout exceeded when trying to connect',
  'timeout expired',
]);

const UNIQUE_VIOLATION = '23505';
const SQLSTATE = /^[0-9A-Z]{5}$/;

/**
 * The five-character SQLSTATE that the server gave, whichever layer the error comes from (`pg`, the
 * driver adapter, a Prisma query, a Prisma raw query), or null when the server gave none.
 */
export function sqlStateOf(error: unknown): string | null {
  const original = textAt(driverCauseOf(error), 'originalCode');
  if (original !== null) return original;
  const code = textAt(error, 'code');
  // Prisma's codes have the same shape; only `pg` errors carry a severity beside their code.
  return code !== null && SQLSTATE.test(code) && textAt(error, 'severity') !== null ? code : null;
}

/**
 * Whether a unique index refused the write; with `constraint`, whether that one did. Ask with the
 * constraint's name wherever two could be meant, or another one's violation passes for yours.
 */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (sqlStateOf(error) !== UNIQUE_VIOLATION) return false;
  return constraint === undefined || constraintOf(error) === constraint;
}

/** Whether the server gave up the transaction for a conflict with another: run the whole of it again. */
export function isTransactionConflict(error: unknown): boolean {
  return CONFLICT_STATES.has(sqlStateOf(error) ?? '') || textAt(error, 'code') === 'P2034';
}

/**
 * Whether the database could not serve now but may in a moment: pool exhausted, connection lost,
 * server restarting, read-only after a failover, a conflict, a timeout. It says nothing of whether
 * the work was done: a connection lost at COMMIT may have committed, so never repeat a write blindly.
 */
export function isRetryableDatabaseError(error: unknown): boolean {
  // A domain tells its callers UNAVAILABLE and keeps what the database said as the cause.
  if (error instanceof DomainError) return isRetryableDatabaseError(error.cause);
  const state = sqlStateOf(error);
  if (state !== null) return state.startsWith('08') || UNAVAILABLE_STATES.has(state);
  if (UNAVAILABLE_KINDS.has(textAt(driverCauseOf(error), 'kind') ?? '')) return true;
  const code = textAt(error, 'code');
  if (code !== null) return UNAVAILABLE_PRISMA_CODES.has(code) || SOCKET_CODES.has(code);
  return hasLostConnectionMessage(error) || hasLostConnectionMessage(at(error, 'cause'));
}

// The database serves, only not this, or not now: too much at once, or somebody else's lock.
const BUSY_STATES: ReadonlySet<string> = new Set([...CONFLICT_STATES, '25P03', '53300', '55P03', '57014']);
const BUSY_PRISMA_CODES: ReadonlySet<string> = new Set(['P2024', 'P2028', 'P2034', 'P2037']);
const BUSY_KINDS: ReadonlySet<string> = new Set(['TooManyConnections', 'TransactionWriteConflict']);

/** Whether the database cannot be reached, or does not let anybody in: what an outage is made of. */
export function isDatabaseAway(error: unknown): boolean {
  if (error instanceof DomainError) return isDatabaseAway(error.cause);
  if (!isRetryableDatabaseError(error)) return false;
  const state = sqlStateOf(error);
  if (state !== null) return !BUSY_STATES.has(state);
  const kind = textAt(driverCauseOf(error), 'kind');
  if (kind !== null) return !BUSY_KINDS.has(kind);
  return !BUSY_PRISMA_CODES.has(textAt(error, 'code') ?? '');
}

function hasLostConnectionMessage(error: unknown): boolean {
  return error instanceof Error && LOST_CONNECTION_MESSAGES.has(error.message);
}

function constraintOf(error: unknown): string | null {
  return textAt(at(driverCauseOf(error), 'constraint'), 'index') ?? textAt(error, 'constraint');
}

// A Prisma error keeps the adapter's error in its meta; the adapter's error keeps the facts in its cause.
function driverCauseOf(error: unknown): unknown {
  return at(at(at(error, 'meta'), 'driverAdapterError'), 'cause') ?? at(error, 'cause');
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function textAt(value: unknown, key: string): string | null {
  const found = at(value, key);
  return typeof found === 'string' ? found : null;
}

export type { DatabasePlace } from './connect.ts';
export { connectOrSay } from './connect.ts';
export { lockSeeding } from './advisory-lock.ts';
export type { DbOptions, Db, TransactionOptions, Tx } from './open-db.ts';
export { inTransaction, openDb, withTenant } from './open-db.ts';
export {
  isDatabaseAway,
  isRetryableDatabaseError,
  isTransactionConflict,
  isUniqueViolation,
} from './errors.ts';
export { isReachable, isServerReachable } from './is-reachable.ts';
export type { Listener, ListenerOptions } from './listen.ts';
export { openListener } from './listen.ts';
export { notify } from './notify.ts';
export type { DatabaseSetting, MigrateOptions, MigrateResult } from './migrate.ts';
export { migrate } from './migrate.ts';
export type { LoginRole, Passwords } from './roles.ts';
export { LOGIN_ROLES, passwordsFrom } from './roles.ts';
export type { WallsOptions } from './walls.ts';
export { checkWalls } from './walls.ts';

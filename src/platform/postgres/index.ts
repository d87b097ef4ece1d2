export { waitForFreeFolder } from './folder-lock.ts';
export type { EmbeddedPostgres, PostgresOptions } from './start-postgres.ts';
export { startPostgres } from './start-postgres.ts';

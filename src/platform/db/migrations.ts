import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Connection } from './connect.ts';

/** One `prisma/migrations/NAME/migration.sql`. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
  /** Hexadecimal SHA-256 of the file, as Prisma records it. */
  readonly checksum: string;
}

/** A row of `_prisma_migrations` that was not rolled back. */
export interface AppliedMigration {
  readonly name: string;
  readonly checksum: string;
  readonly isFinished: boolean;
}

/** How the migrations of this program and those recorded in a database relate. */
export interface History {
  /** In the order in which they must be applied. */
  readonly pending: readonly Migration[];
  /** What keeps the two from agreeing, one sentence each; empty when nothing does. */
  readonly faults: readonly string[];
}

/** The migrations that this program was written against. */
export const MIGRATIONS_DIRECTORY = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url));

/** Reads the migrations below `directory`, in the order of their names. */
export async function readMigrations(directory: string): Promise<readonly Migration[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.toSorted().map(async (name) => {
      const sql = await readFile(path.join(directory, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/** Reads what the database records; null when it was never migrated. */
export async function readApplied(connection: Connection): Promise<readonly AppliedMigration[] | null> {
  const [table] = await connection.query<{ found: boolean }>(
    `select to_regclass('public._prisma_migrations') is not null as found`,
  );
  if (table?.found !== true) return null;
  return connection.query<{ name: string; checksum: string; isFinished: boolean }>(
    `select migration_name as name, checksum, finished_at is not null as "isFinished"
       from public._prisma_migrations where rolled_back_at is null order by migration_name`,
  );
}

/** Compares what this program knows with what the database records. */
export function compareHistory(known: readonly Migration[], applied: readonly AppliedMigration[]): History {
  const knownByName = new Map(known.map((migration) => [migration.name, migration]));
  const appliedNames = new Set(applied.map(({ name }) => name));
  return {
    pending: known.filter(({ name }) => !appliedNames.has(name)),
    faults: applied.flatMap((each) => faultOf(each, knownByName.get(each.name)) ?? []),
  };
}

function faultOf(applied: AppliedMigration, known: Migration | undefined): string | null {
  if (!applied.isFinished) {
    return `migration ${applied.name} failed half-way: repair what it left and delete its row of _prisma_migrations`;
  }
  if (known === undefined) {
    return `migration ${applied.name} is unknown here: the database is newer than this darkroom, so run the newer one`;
  }
  if (known.checksum !== applied.checksum) {
    return `migration ${applied.name} was changed after it was applied: restore its file, and change the schema by a new one`;
  }
  return null;
}

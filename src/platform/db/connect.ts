import pg from 'pg';
import { StartError } from '../../kernel/errors.ts';
import { connectFault } from '../../kernel/faults.ts';

export interface ConnectOptions {
  readonly url: string;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
}

/** One connection for administration: SQL that belongs to no store. Disposing closes it. */
export interface Connection extends AsyncDisposable {
  query<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
}

/** Whose database it is, such as a setting's name, and what somebody can do who cannot reach it. */
export interface DatabasePlace {
  readonly whose: string;
  readonly advice: string;
}

/** The database that a setting names. */
export function placeIn(setting: string): DatabasePlace {
  return {
    whose: setting,
    advice: 'start it, or correct the setting (darkroom migrate prints the right ones)',
  };
}

/** As `connect`, but rejects with a `StartError` that says where the server should be, what is wrong and what to do. */
export async function connectOrSay(
  { whose, advice }: DatabasePlace,
  options: ConnectOptions,
): Promise<Connection> {
  try {
    return await connect(options);
  } catch (cause) {
    throw new StartError(
      `The database of ${whose} cannot be reached (${connectFault(cause, placeOf(options.url))}): ${advice}.`,
      { cause },
    );
  }
}

function placeOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port || 5432}`;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Opens one connection outside any pool. Rejects with `pg`'s error when the server cannot be reached. */
export async function connect({ url, applicationName }: ConnectOptions): Promise<Connection> {
  const client = new pg.Client({
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // A connection lost between two queries rejects the next one; without a listener it would end the process.
  client.on('error', () => undefined);
  await client.connect();
  return {
    async query<Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []) {
      // Without values the simple protocol is used, which alone can carry a script of many statements.
      const result =
        values.length === 0 ? await client.query<Row>(sql) : await client.query<Row>(sql, [...values]);
      return result.rows;
    },
    async [Symbol.asyncDispose]() {
      await client.end().catch(() => undefined);
    },
  };
}

/** `text` as an SQL string literal. */
export const quoteLiteral = (text: string): string => pg.escapeLiteral(text);

/** `name` as an SQL identifier. */
export const quoteName = (name: string): string => pg.escapeIdentifier(name);

import path from 'node:path';
import pg from 'pg';
import type { Logger } from 'pino';
import type { Clock } from '../../kernel/clock.ts';
import { systemClock } from '../../kernel/clock.ts';
import { StartError } from '../../kernel/errors.ts';
import { isRetryableDatabaseError, sqlStateOf } from '../db/errors.ts';
import type { Child, ExitInfo } from '../process/child.ts';
import { startChild } from '../process/child.ts';
import type { Guardian } from '../process/guardian.ts';
import { findBinaries } from './binaries.ts';
import type { DataFolderOptions } from './data-folder.ts';
import { postgresEnv, prepareDataFolder, SUPERUSER } from './data-folder.ts';
import { waitForFreeFolder } from './folder-lock.ts';
import { findFreePort, isPortFree } from '../process/ports.ts';
import { findLauncher } from './unprivileged.ts';

export interface PostgresOptions {
  /** The cluster's folder, made when it is missing. A folder beside it may be made for library links. */
  readonly dataDirectory: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Of the superuser `postgres`; must be the same at every start on one folder. */
  readonly superuserPassword: string;
  /**
   * The data need not outlive a crash of the machine: nothing is flushed to disk. What was committed
   * still outlives a crash of the server alone. The caller owns the folder and removes it; `guardian.watchDirectory` covers a death before that.
   */
  readonly isEphemeral?: boolean;
  readonly guardian: Guardian;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Recovery after a crash of the machine can take a while. */
  readonly startTimeoutMs?: number;
  /** How long another Postgres on the folder is waited for before the start is refused. */
  readonly folderWaitMs?: number;
}

/** A running cluster that this process owns. Disposing stops it in an orderly way (connections are cut). */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  /** The superuser over TCP, database `postgres`. */
  readonly adminUrl: string;
  /** Settles when the server has ended, whether asked to or not. */
  readonly exited: Promise<ExitInfo>;
}

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 120_000;
const STOP_GRACE_MS = 20_000;
const POLL_MS = 20;
const CONNECT_TIMEOUT_MS = 2_000;

// A start can lose its port to another program, or meet the last breath of a killed predecessor's
// backends; both pass. More attempts would only delay a message that the user needs to read.
const START_ATTEMPTS = 3;
const ATTEMPT_DELAY_MS = 300;

const LAST_LINES = 4;

const WRONG_PASSWORD = '28P01';

type ServerOptions = DataFolderOptions & { readonly port: number; readonly startTimeoutMs: number };

/**
 * Starts the embedded Postgres on 127.0.0.1 and resolves when it accepts connections; makes the
 * cluster first when the folder has none. TCP only, passwords by SCRAM, no trust for anybody.
 *
 * As root it runs in a user namespace. Rejects with a `StartError` that says what to do when the port
 * is taken, the folder cannot be used (not writable, other version, in use, another secret), or the
 * machine cannot run it; then nothing is left running and nothing half-made.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const { port, isEphemeral = false, clock = systemClock, startTimeoutMs = START_TIMEOUT_MS } = options;
  const dataDirectory = path.resolve(options.dataDirectory);
  const { guardian, logger, superuserPassword, folderWaitMs } = options;
  if (port !== 0 && !(await isPortFree(port))) {
    throw new StartError(
      `Port ${port} is in use: stop what listens there, or choose another port for Postgres.`,
    );
  }
  const launcher = await findLauncher({ uid: process.getuid?.() });
  const binaries = await findBinaries(`${dataDirectory}-lib`);
  const server = {
    dataDirectory,
    superuserPassword,
    isEphemeral,
    binaries,
    launcher,
    guardian,
    logger,
    clock,
  };
  await prepareDataFolder(server);
  await waitForFreeFolder({
    dataDirectory,
    clock,
    logger,
    ...(folderWaitMs === undefined ? {} : { waitMs: folderWaitMs }),
  });
  return startWithRetries({ ...server, port, startTimeoutMs });
}

async function startWithRetries(options: ServerOptions): Promise<EmbeddedPostgres> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port === 0 ? await findFreePort() : options.port;
    try {
      return await startServer({ ...options, port });
    } catch (error) {
      if (!(error instanceof EndedEarly)) throw error;
      if (attempt === START_ATTEMPTS) throw new StartError(error.message);
      options.logger.warn({ port, attempt }, error.message);
      await options.clock.sleep(ATTEMPT_DELAY_MS);
    }
  }
}

class EndedEarly extends Error {
  override readonly name = 'EndedEarly';
}

async function startServer(options: ServerOptions): Promise<EmbeddedPostgres> {
  const { port, superuserPassword, binaries, launcher, guardian, logger, clock } = options;
  const [command, args] = launcher.command(binaries.postgres, settingsOf(options));
  const lastLines: string[] = [];
  const onLine = (line: string) => {
    lastLines.push(line);
    if (lastLines.length > LAST_LINES) lastLines.shift();
  };
  await using stack = new AsyncDisposableStack();
  const child = stack.use(
    await startChild({
      name: 'postgres',
      command,
      args,
      env: postgresEnv(binaries),
      // Where Postgres runs, so that a removed working directory of ours cannot trouble it.
      cwd: options.dataDirectory,
      logger,
      onLine,
      guardian,
      // "Fast" shutdown: cut connections, write a checkpoint, end.
      stopSignal: 'SIGINT',
      graceMs: STOP_GRACE_MS,
      clock,
    }),
  );
  const adminUrl = `postgres://${SUPERUSER}:${encodeURIComponent(superuserPassword)}@${HOST}:${port}/postgres`;
  await waitUntilReady(child, adminUrl, { ...options, lastLines });
  const owned = stack.move();
  return {
    host: HOST,
    port,
    pid: child.pid,
    adminUrl,
    exited: child.exited,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function settingsOf({ dataDirectory, port, isEphemeral }: ServerOptions): readonly string[] {
  const settings = {
    listen_addresses: HOST,
    port: String(port),
    // A socket's path may not be longer than 107 bytes, which a data folder's easily is.
    unix_socket_directories: '',
    max_connections: '100',
    shared_buffers: '64MB',
    // Our queries are short; compiling them costs more than it saves.
    jit: 'off',
    ...(isEphemeral ? { fsync: 'off', full_page_writes: 'off' } : {}),
  };
  return [
    '-D',
    dataDirectory,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

async function waitUntilReady(
  child: Child,
  adminUrl: string,
  {
    dataDirectory,
    startTimeoutMs,
    clock,
    lastLines,
  }: ServerOptions & { readonly lastLines: readonly string[] },
): Promise<void> {
  let hasEnded = false;
  const ended = child.exited.then(() => {
    hasEnded = true;
  });
  const deadlineMs = clock.monotonicMs() + startTimeoutMs;
  while (!(await answers(adminUrl, dataDirectory))) {
    if (clock.monotonicMs() >= deadlineMs) {
      throw new StartError(
        `Postgres on ${dataDirectory} did not accept connections within ${startTimeoutMs} ms. ` +
          `Its last words: ${lastLines.join(' ')}`,
      );
    }
    await Promise.race([ended, clock.sleep(POLL_MS)]);
    if (hasEnded)
      throw new EndedEarly(`Postgres on ${dataDirectory} ended while starting: ${lastLines.join(' ')}`);
  }
}

async function answers(adminUrl: string, dataDirectory: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // A server that ends while we ask reports it here as well as to `connect`.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch (error) {
    if (sqlStateOf(error) === WRONG_PASSWORD) {
      throw new StartError(
        `The data folder ${dataDirectory} was made with another secret: give darkroom the DARKROOM_SECRET it was made ` +
          'with, or choose another folder with --data DIR.',
        { cause: error },
      );
    }
    if (isRetryableDatabaseError(error)) return false;
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '../../kernel/clock.ts';
import { hasSystemCode, StartError, systemCodeOf } from '../../kernel/errors.ts';
import { startChild } from '../process/child.ts';
import type { Guardian } from '../process/guardian.ts';
import type { Binaries } from './binaries.ts';
import type { Launcher } from './unprivileged.ts';

/** The superuser of an embedded cluster. */
export const SUPERUSER = 'postgres';

export interface DataFolderOptions {
  /** The cluster's folder; made when it is missing. */
  readonly dataDirectory: string;
  readonly superuserPassword: string;
  /** The data dies with this run: nothing is flushed to disk. */
  readonly isEphemeral: boolean;
  readonly binaries: Binaries;
  readonly launcher: Launcher;
  readonly guardian: Guardian;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** What a Postgres program finds in its environment, and nothing more. */
export function postgresEnv(binaries: Binaries): Readonly<Record<string, string>> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    TZ: 'UTC',
    ...binaries.env,
  };
}

/**
 * Makes the cluster when the folder is missing or empty, and otherwise checks that it can be used. A
 * new cluster appears under its name only when it is complete; an attempt that fails leaves nothing.
 *
 * Rejects with a `StartError` when the folder cannot be written, holds something else, or holds
 * another major version.
 */
export async function prepareDataFolder(options: DataFolderOptions): Promise<void> {
  const { dataDirectory, binaries } = options;
  try {
    await mkdir(path.dirname(dataDirectory), { recursive: true, mode: 0o700 });
    const major = await majorOf(dataDirectory);
    if (major === null) await createCluster(options);
    else if (major !== binaries.major) throw wrongMajor(dataDirectory, major, binaries.major);
  } catch (cause) {
    throw asStartError(dataDirectory, cause);
  }
}

/** The major version of the cluster in the folder, or null where one can be made. */
async function majorOf(dataDirectory: string): Promise<number | null> {
  try {
    return Number.parseInt(await readFile(path.join(dataDirectory, 'PG_VERSION'), 'utf8'), 10);
  } catch (error) {
    if (!hasSystemCode(error, 'ENOENT')) throw error;
  }
  const entries = await entriesOf(dataDirectory);
  if (entries.length > 0) {
    throw new StartError(
      `The folder ${dataDirectory} holds files that are no Postgres data (${entries.slice(0, 3).join(', ')}): ` +
        'empty it, or choose another with --data DIR.',
    );
  }
  return null;
}

async function entriesOf(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasSystemCode(error, 'ENOENT')) return [];
    throw error;
  }
}

async function createCluster(options: DataFolderOptions): Promise<void> {
  const { dataDirectory, guardian, logger } = options;
  // A sibling, so that the rename stays inside one file system and happens at once.
  const workshop = await mkdtemp(`${dataDirectory}.new-`);
  guardian.watchDirectory(workshop);
  try {
    const cluster = path.join(workshop, 'cluster');
    await runInitdb(options, cluster, workshop);
    await rename(cluster, dataDirectory);
    logger.info({ dataDirectory }, 'made a Postgres cluster');
  } catch (error) {
    // Another start was quicker. Which of the two may serve it is settled by Postgres's own lock.
    if (!hasSystemCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  } finally {
    await rm(workshop, { recursive: true, force: true });
    guardian.releaseDirectory(workshop);
  }
}

async function runInitdb(options: DataFolderOptions, cluster: string, workshop: string): Promise<void> {
  const { binaries, launcher, superuserPassword, isEphemeral, guardian, logger, clock } = options;
  const passwordFile = path.join(workshop, 'password');
  await writeFile(passwordFile, `${superuserPassword}\n`, { mode: 0o600 });
  const [command, args] = launcher.command(binaries.initdb, [
    `--pgdata=${cluster}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-instructions',
    ...(isEphemeral ? ['--no-sync'] : []),
  ]);
  const lines: string[] = [];
  const onLine = (line: string) => lines.push(line);
  const env = postgresEnv(binaries);
  await using initdb = await startChild({
    name: 'initdb',
    command,
    args,
    env,
    logger,
    onLine,
    guardian,
    clock,
  });
  const { code, signal } = await initdb.exited;
  if (code !== 0) {
    throw new StartError(
      `Postgres could not make its data folder ${options.dataDirectory} (initdb ended with ${signal ?? code}): ` +
        `${lines.slice(-3).join(' ')}`,
    );
  }
}

function wrongMajor(dataDirectory: string, found: number, expected: number): StartError {
  return new StartError(
    `The folder ${dataDirectory} was made by Postgres ${found}, and this darkroom brings Postgres ${expected}: ` +
      `start with the darkroom that made it, or dump it with Postgres ${found} and restore it into a new --data DIR.`,
  );
}

function asStartError(dataDirectory: string, cause: unknown): unknown {
  if (!hasSystemCode(cause, 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'EEXIST', 'ENOENT'))
    return cause;
  const code = systemCodeOf(cause);
  return new StartError(
    `The data folder ${dataDirectory} cannot be written (${code}): ` +
      'make it writable for this user, free some space, or choose another with --data DIR.',
    { cause },
  );
}

import { constants } from 'node:fs';
import { access, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { DatabaseUrls } from '../config/index.ts';
import { LOGINS } from '../config/index.ts';
import { hasSystemCode, StartError } from '../kernel/errors.ts';
import { isAlive, isTaken, takeExclusive } from '../platform/process/index.ts';
import type { DataFolder } from './data-folder.ts';

const NAME = 'run.json';

const runFile = z.object({
  pid: z.int().positive(),
  secret: z.string().min(1),
  database: z.partialRecord(z.enum(LOGINS), z.string()),
  adminUrl: z.string().nullable(),
  node: z.string().nullable(),
});

/** How other processes on this machine reach what the host process of a data folder runs. */
export interface RunFile {
  /** The host process. */
  readonly pid: number;
  readonly secret: string;
  /** All logins of the embedded Postgres; of an external one those that the host itself has. */
  readonly database: DatabaseUrls;
  /** The embedded cluster's superuser, or null where Postgres is somebody else's. */
  readonly adminUrl: string | null;
  /** `grpc://host:port` of the embedded node, or null when none is hosted. */
  readonly node: string | null;
}

/**
 * Makes this process the host of the folder, until disposed, or returns null when another one is. What
 * a host that was killed left there is removed.
 */
export async function takeFolder(folder: DataFolder): Promise<AsyncDisposable | null> {
  const taken = await takeExclusive(await realpath(folder.path));
  if (taken) await rm(folder.at(NAME), { force: true });
  return taken;
}

/** Writes `run.json` (0600: it holds secrets) whole or not at all; disposing removes it. */
export async function writeRunFile(folder: DataFolder, content: RunFile): Promise<AsyncDisposable> {
  const file = folder.at(NAME);
  const draft = `${file}.${content.pid}`;
  await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, file);
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) };
}

/** The `run.json` of the host that runs on the folder now; null while none does, or it is not ready yet. */
export async function findRunFile(dataDirectory: string): Promise<RunFile | null> {
  const path = await realpath(dataDirectory).catch(() => null);
  if (path === null || !(await isTaken(path))) return null;
  const found = await read(join(path, NAME));
  // Between a host that was killed and one that has just taken its place, the file is the dead one's.
  return found && isAlive(found.pid) ? found : null;
}

/** As `findRunFile`, but rejects with a `StartError` when nothing runs there, or it may not be read. */
export async function readRunFile(dataDirectory: string): Promise<RunFile> {
  await access(join(dataDirectory, NAME), constants.R_OK).catch((error: unknown) => {
    if (hasSystemCode(error, 'EACCES', 'EPERM'))
      throw new StartError(
        `${dataDirectory} belongs to another user: run this as the one who started the platform.`,
      );
  });
  const found = await findRunFile(dataDirectory);
  if (found) return found;
  throw new StartError(
    `No platform runs on ${dataDirectory}. Start one with \`darkroom start\`, or name its folder with --data DIR.`,
  );
}

/** Null when there is none, or none that can be read. */
async function read(file: string): Promise<RunFile | null> {
  try {
    return runFile.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return null;
  }
}

import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { DatabaseUrls } from '../config/index.ts';
import { StartError } from '../kernel/errors.ts';
import type { DataFolder } from './data-folder.ts';

const NAME = 'run.json';

const runFile = z.object({
  pid: z.int().positive(),
  secret: z.string().min(1),
  database: z.object({
    app: z.string(),
    auth: z.string(),
    dispatcher: z.string(),
    system: z.string(),
    listen: z.string(),
  }),
});

/** How other processes on this machine reach what the host process of a data folder runs. */
export interface RunFile {
  readonly pid: number;
  readonly secret: string;
  readonly database: DatabaseUrls;
}

/**
 * Writes `run.json` (0600: it holds secrets) whole or not at all; disposing removes it. Rejects with a
 * `StartError` when another process runs on the folder: two would take each other's place.
 */
export async function writeRunFile(folder: DataFolder, content: RunFile): Promise<AsyncDisposable> {
  const file = folder.at(NAME);
  const other = await find(file);
  if (other && other.pid !== content.pid) {
    throw new StartError(
      `The data folder ${folder.path} is in use by process ${other.pid}. Stop it, or choose another folder with --data DIR.`,
    );
  }
  const draft = `${file}.${content.pid}`;
  await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, file);
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) };
}

/** Reads the `run.json` of a data folder. Rejects with a `StartError` when nothing runs there. */
export async function readRunFile(dataDirectory: string): Promise<RunFile> {
  const found = await find(join(dataDirectory, NAME));
  if (found) return found;
  throw new StartError(
    `No platform runs on ${dataDirectory}. Start one with \`darkroom start\`, or name its folder with --data DIR.`,
  );
}

/** Null when there is none, or when the process that wrote it was killed and is gone. */
async function find(file: string): Promise<RunFile | null> {
  try {
    const found = runFile.parse(JSON.parse(await readFile(file, 'utf8')));
    return isAlive(found.pid) ? found : null;
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    // Signal 0 asks and does nothing.
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

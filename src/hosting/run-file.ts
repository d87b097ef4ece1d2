import { readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { DatabaseUrls } from '../config/index.ts';
import { StartError } from '../kernel/errors.ts';
import { isTaken, takeExclusive } from '../platform/process/index.ts';
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
 * Makes this process the one that runs on the folder, until disposed. Rejects with a `StartError` when
 * another one is: two would take each other's place.
 */
export async function takeFolder({ path }: DataFolder): Promise<AsyncDisposable> {
  const taken = await takeExclusive(await realpath(path));
  if (taken) return taken;
  const other = await find(join(path, NAME));
  throw new StartError(
    `The data folder ${path} is in use by ${other ? `process ${other.pid}` : 'another process'}. ` +
      'Stop it, or choose another folder with --data DIR.',
  );
}

/** Writes `run.json` (0600: it holds secrets) whole or not at all; disposing removes it. */
export async function writeRunFile(folder: DataFolder, content: RunFile): Promise<AsyncDisposable> {
  const file = folder.at(NAME);
  const draft = `${file}.${content.pid}`;
  await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, file);
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) };
}

/**
 * Reads the `run.json` of a data folder. Rejects with a `StartError` when nothing runs there, also when
 * a process that was killed left its file behind.
 */
export async function readRunFile(dataDirectory: string): Promise<RunFile> {
  const path = await realpath(dataDirectory).catch(() => null);
  const found = path !== null && (await isTaken(path)) ? await find(join(path, NAME)) : null;
  if (found) return found;
  throw new StartError(
    `No platform runs on ${dataDirectory}. Start one with \`darkroom start\`, or name its folder with --data DIR.`,
  );
}

/** Null when there is none, or none that can be read. */
async function find(file: string): Promise<RunFile | null> {
  try {
    return runFile.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return null;
  }
}

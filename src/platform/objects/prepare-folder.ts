import { access, constants, link, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { messageOf, StartError } from '../../kernel/errors.ts';
import type { Random } from '../../kernel/random.ts';
import { incomingFolderOf, incomingOf } from './layout.ts';
import { writeDurably } from './publish.ts';

// Longer than any write takes, shorter than a disk takes to fill up with leftovers.
const LEFTOVER_AGE_MS = 24 * 60 * 60 * 1000;

/**
 * Makes the folder of a local store and proves that it works: a file can be written, and linked
 * without replacing another. Removes what writers that died left behind. Rejects with `StartError`.
 */
export async function prepareFolder(deps: {
  directory: string;
  clock: Clock;
  random: Random;
}): Promise<void> {
  const { directory, random } = deps;
  try {
    await mkdir(incomingFolderOf(directory), { recursive: true, mode: 0o700 });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    await proveLinks(directory, Buffer.from(random.bytes(16)).toString('hex'));
    await sweep(incomingFolderOf(directory), deps.clock.nowMs() - LEFTOVER_AGE_MS);
  } catch (error) {
    throw new StartError(
      `Pictures cannot be stored in ${directory}: ${messageOf(error)}. ` +
        'Give the folder to the user that runs darkroom, or choose another one, on a disk with hard links.',
      { cause: error },
    );
  }
}

async function proveLinks(directory: string, name: string): Promise<void> {
  const [first, second] = [incomingOf(directory, name), incomingOf(directory, `${name}-link`)];
  try {
    await writeDurably(first, [new Uint8Array(1)]);
    await link(first, second);
  } finally {
    await rm(first, { force: true });
    await rm(second, { force: true });
  }
}

async function sweep(folder: string, beforeMs: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    // Another process may have swept it in the meantime.
    const found = await stat(path).catch(() => null);
    if (found !== null && found.mtimeMs < beforeMs) await rm(path, { force: true });
  }
}

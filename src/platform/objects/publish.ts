import { constants } from 'node:fs';
import { link, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCodeOf } from '../../kernel/errors.ts';

// A deleter may remove an empty folder while it is being made or before the link; each turn needs another
// delete at that very moment, so that many in a row mean something else is wrong.
const LINK_ATTEMPTS_MAX = 20;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Writes a new file and returns once its bytes are on the disk. */
export async function writeDurably(path: string, parts: readonly Uint8Array[]): Promise<void> {
  await using file = await open(path, 'wx', FILE_MODE);
  for (const part of parts) await file.writeFile(part);
  await file.sync();
}

/**
 * Gives the finished file `temporary` the name `final` as well, in one step that cannot replace
 * anything, and returns once the name is on the disk. Rejects with EEXIST when the name is taken.
 */
export async function publish(temporary: string, final: string): Promise<void> {
  const folder = dirname(final);
  let madeFirst: string | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      madeFirst = (await mkdir(folder, { recursive: true, mode: FOLDER_MODE })) ?? madeFirst;
      await link(temporary, final);
      break;
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT' || attempt === LINK_ATTEMPTS_MAX) throw error;
    }
  }
  await syncFolders(folder, madeFirst);
}

// A name is durable once the folder that holds it is; a new folder is itself a name in its parent.
async function syncFolders(folder: string, madeFirst: string | undefined): Promise<void> {
  const last = madeFirst === undefined ? folder : dirname(madeFirst);
  for (let each = folder; ; each = dirname(each)) {
    await syncFolder(each);
    if (each === last) return;
  }
}

async function syncFolder(folder: string): Promise<void> {
  try {
    await using handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    await handle.sync();
  } catch (error) {
    // Removed by a deleter, which only happens once the new object is gone again, too.
    if (systemCodeOf(error) !== 'ENOENT') throw error;
  }
}

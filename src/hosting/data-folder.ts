import { constants } from 'node:fs';
import { access, chmod, link, mkdir, mkdtemp, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { messageOf, StartError, systemCodeOf } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';

/** Where an installation keeps what it must not lose: database, pictures, secret and first key. */
export interface DataFolder {
  readonly path: string;
  readonly isEphemeral: boolean;
  /** Absolute path of something in the folder. */
  at(name: string): string;
  /**
   * The text of a private file (0600), made with `create` when it is missing. Two processes that make
   * it at the same time end up with the same text.
   */
  readOrCreate(name: string, create: () => string): Promise<string>;
}

/** Opens `path`, making it when it is missing. Rejects with a `StartError` when it cannot be written. */
export async function openDataFolder(path: string, random: Random): Promise<DataFolder> {
  const absolute = resolve(path);
  try {
    await makeFolder(absolute);
    await access(absolute, constants.R_OK | constants.W_OK | constants.X_OK);
    // Access by name is not all that can fail: a read-only file system shows only on writing.
    const probe = join(absolute, `.probe-${Buffer.from(random.bytes(6)).toString('hex')}`);
    await writeFile(probe, '', { mode: 0o600 });
    await unlink(probe);
  } catch (error) {
    throw new StartError(
      `The data folder ${absolute} cannot be written: ${messageOf(error)}. Choose another with --data DIR, or use --ephemeral.`,
    );
  }
  return dataFolderAt(absolute, random, false);
}

// Not `recursive: true`: where nothing can be made below a folder that is there, as in /proc, Node 24
// tries for ever.
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return;
    if (systemCodeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path, { mode: 0o700 }).catch(ignoreIfThere);
  }
}

/** A new folder below the system's temporary one; whoever asks for it removes it. */
export async function createEphemeralFolder(random: Random): Promise<DataFolder> {
  return dataFolderAt(await mkdtemp(join(tmpdir(), 'darkroom-')), random, true);
}

export async function removeFolder(folder: DataFolder): Promise<void> {
  await rm(folder.path, { recursive: true, force: true });
}

function dataFolderAt(path: string, random: Random, isEphemeral: boolean): DataFolder {
  const at = (name: string) => join(path, name);
  return {
    path,
    isEphemeral,
    at,
    async readOrCreate(name, create) {
      const file = at(name);
      const existing = await readIfThere(file);
      if (existing !== null) return existing;
      // Written in full under another name first: nobody ever reads half a secret.
      const draft = `${file}.${Buffer.from(random.bytes(6)).toString('hex')}`;
      await writeFile(draft, `${create()}\n`, { mode: 0o600, flag: 'wx', flush: true });
      await link(draft, file).catch(ignoreIfThere);
      await unlink(draft);
      await chmod(file, 0o600);
      return (await readFile(file, 'utf8')).trim();
    },
  };
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return null;
    throw new StartError(`${file} cannot be read: ${messageOf(error)}.`);
  }
}

function ignoreIfThere(error: unknown): void {
  if (systemCodeOf(error) !== 'EEXIST') throw error;
}

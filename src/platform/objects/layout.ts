import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../../kernel/errors.ts';
import type { ListedObject } from './object-store.ts';
import { FOOTER_BYTES } from './footer.ts';

// Keys hold neither `@` nor `+`. A folder's name ends with the first, so that `a` and `a/b` can both
// be objects as they can in S3; the second marks what is not an object.
const FOLDER_MARK = '@';
const INCOMING = '+incoming';

/** Where the object `key` lies. The key has been checked. */
export function fileOf(directory: string, key: string): string {
  const segments = key.split('/');
  const name = segments.pop() ?? '';
  return join(directory, ...segments.map((segment) => segment + FOLDER_MARK), name);
}

/** Where files are written before they become objects: below the same root, hence on the same file system. */
export function incomingFolderOf(directory: string): string {
  return join(directory, INCOMING);
}

export function incomingOf(directory: string, name: string): string {
  return join(directory, INCOMING, name);
}

/** Walks the objects below `directory` whose key starts with `prefix`, in the order of their keys. */
export async function* listFiles(directory: string, prefix: string): AsyncGenerator<ListedObject> {
  const parents = prefix.split('/').slice(0, -1);
  const folder = join(directory, ...parents.map((segment) => segment + FOLDER_MARK));
  yield* walk(folder, parents.map((segment) => `${segment}/`).join(''), prefix);
}

async function* walk(folder: string, path: string, prefix: string): AsyncGenerator<ListedObject> {
  for (const { name, isFolder } of await entriesOf(folder)) {
    const key = path + name;
    if (!key.startsWith(prefix)) continue;
    if (isFolder) {
      yield* walk(join(folder, name.slice(0, -1) + FOLDER_MARK), key, prefix);
    } else {
      const object = await describe(join(folder, name), key);
      if (object !== null) yield object;
    }
  }
}

interface Entry {
  /** As in the key: a folder's ends with a slash. */
  readonly name: string;
  readonly isFolder: boolean;
}

async function entriesOf(folder: string): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      if (entry.isFile()) entries.push({ name: entry.name, isFolder: false });
      else if (entry.isDirectory() && entry.name.endsWith(FOLDER_MARK)) {
        entries.push({ name: `${entry.name.slice(0, -1)}/`, isFolder: true });
      }
    }
  } catch (error) {
    // Deleted since it was seen, or there never was such a prefix.
    if (systemCodeOf(error) !== 'ENOENT') throw error;
  }
  // With its slash a folder sorts exactly where its keys belong among the files beside it.
  return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

async function describe(file: string, key: string): Promise<ListedObject | null> {
  try {
    const { size, mtime } = await stat(file);
    return { key, size: size - FOOTER_BYTES, modifiedAt: mtime };
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

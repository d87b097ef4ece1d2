import { open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { OutputFormat } from '../client/index.ts';
import { hasSystemCode, messageOf } from '../kernel/errors.ts';
import { CommandError } from './output.ts';

/** Where the pictures of one command go. */
export interface Destination {
  readonly folder: string;
  /** The file that was asked for, which may replace an older one; null: named after prompt and seed. */
  readonly file: string | null;
}

/** What the default name is made of. */
export interface PictureName {
  readonly prompt: string;
  readonly seed: string;
  /** Position, from 0, and how many there are. */
  readonly index: number;
  readonly count: number;
  /** Without the dot. */
  readonly extension: string;
}

/** What a picture's name may end in, in lower case, and what it is then. */
export const FORMAT_BY_ENDING: Readonly<Record<string, OutputFormat>> = {
  '.png': 'PNG',
  '.jpg': 'JPEG',
  '.jpeg': 'JPEG',
  '.webp': 'WEBP',
};

// Of a name such as `v1.5 apple` nobody would say that it ends in `.5 apple`.
const ENDING = /^\.[a-z][a-z0-9]{1,4}$/;

const SLUG_CHARS_MAX = 48;

/**
 * Finds out where pictures go, and that they can be written there, before anything is paid for.
 * `out` is a file, a folder, or null for the current folder. Rejects with a `CommandError`.
 */
export async function openDestination(out: string | null, cwd: string): Promise<Destination> {
  const path = resolve(cwd, out ?? '.');
  const found = await stat(path).catch(() => null);
  const isFolder = found === null ? out?.endsWith('/') === true : found.isDirectory();
  if (found !== null && !isFolder && !found.isFile()) {
    throw new CommandError(`${path} is neither a file nor a folder. Choose another --out.`);
  }
  if (!isFolder) refuseEnding(path);
  const destination = isFolder ? { folder: path, file: null } : { folder: dirname(path), file: path };
  await proveWritable(destination.folder);
  return destination;
}

function refuseEnding(path: string): void {
  const ending = extname(path).toLowerCase();
  if (!ENDING.test(ending) || Object.hasOwn(FORMAT_BY_ENDING, ending)) return;
  const endings = Object.keys(FORMAT_BY_ENDING).join(', ');
  throw new CommandError(
    `No picture can be written as ${ending}. Let --out end in one of ${endings}, or in none.`,
  );
}

/** Writes one picture, all at once, and returns its path. Replaces only a file that was asked for. */
export async function savePicture(
  { folder, file }: Destination,
  name: PictureName,
  bytes: Uint8Array,
): Promise<string> {
  const path = file === null ? await claimFreeName(folder, name) : numbered(file, name);
  const temporary = temporaryIn(folder);
  try {
    await writeFile(temporary, bytes, { flag: 'wx', flush: true });
    await rename(temporary, path);
    return path;
  } catch (error) {
    await rm(temporary, { force: true });
    // The empty file that held the name.
    if (file === null) await rm(path, { force: true });
    throw new CommandError(`${path} cannot be written: ${messageOf(error)}.`, { cause: error });
  }
}

// The permission bits do not tell: the disk may be read-only and root may do anything.
async function proveWritable(folder: string): Promise<void> {
  const temporary = temporaryIn(folder);
  try {
    await writeFile(temporary, '', { flag: 'wx' });
    await rm(temporary);
  } catch (error) {
    throw new CommandError(
      `Nothing can be written to ${folder}: ${messageOf(error)}. Choose another --out.`,
      {
        cause: error,
      },
    );
  }
}

function temporaryIn(folder: string): string {
  return join(folder, `.darkroom-${crypto.randomUUID()}.part`);
}

async function claimFreeName(folder: string, name: PictureName): Promise<string> {
  const plain = numbered(join(folder, `${toSlug(name.prompt)}-${name.seed}.${name.extension}`), name);
  for (let attempt = 1; ; attempt++) {
    const path = attempt === 1 ? plain : withSuffix(plain, `-${attempt}`);
    try {
      // Taken in one step, so that of two commands at the same time neither gets the other's.
      const claim = await open(path, 'wx');
      await claim.close();
      return path;
    } catch (error) {
      if (!hasSystemCode(error, 'EEXIST')) throw error;
    }
  }
}

function numbered(path: string, { index, count }: PictureName): string {
  return count === 1 ? path : withSuffix(path, `-${index + 1}`);
}

function withSuffix(path: string, suffix: string): string {
  const extension = extname(path);
  return join(dirname(path), basename(path, extension) + suffix + extension);
}

/** A prompt as part of a file name: `a red apple, blue background` is `a-red-apple-blue-background`. */
export function toSlug(prompt: string): string {
  const words = prompt
    .normalize('NFKD')
    .replaceAll(/\p{M}+/gu, '')
    .toLowerCase()
    .match(/[a-z0-9]+/g);
  const slug = (words ?? []).join('-').slice(0, SLUG_CHARS_MAX).replace(/-$/, '');
  return slug === '' ? 'picture' : slug;
}

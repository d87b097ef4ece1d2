import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { RegionSpan, SharedRegion } from '../platform/kserve/index.ts';
import { KserveError, status } from '../platform/kserve/index.ts';

/**
 * The memory that clients share with the node, by the names that they registered it under. Errors are
 * `KserveError`s with Triton's codes and words (read from a running 2.51). Disposing forgets all.
 */
export interface SharedRegions extends Disposable {
  /** All of them, or the one named. Throws NOT_FOUND. */
  list(name: string): Readonly<Record<string, SharedRegion>>;
  /** Throws ALREADY_EXISTS, INTERNAL when there is no such memory, INVALID_ARGUMENT when it is smaller or `offset` amid a page. */
  register(region: SharedRegion): void;
  /** All of them for an empty name; one that is not known is no error. */
  unregister(name: string): void;
  /** Throws NOT_FOUND, or INVALID_ARGUMENT when the span reaches beyond its region. */
  check(span: RegionSpan): void;
  /** A copy of the bytes. Throws as `check` does. */
  read(span: RegionSpan): Uint8Array<ArrayBuffer>;
  /** Writes `bytes` to the span's start. Throws as `check` does. */
  write(span: RegionSpan, bytes: Uint8Array): void;
}

// shm_open(3) on Linux: objects are files in one folder, and a name has no further slash.
const DIRECTORY = '/dev/shm';
const KEY = /^\/?(?<file>[^/\0]+)$/;

const PAGE_BYTES = 4_096;

interface Open {
  readonly region: SharedRegion;
  readonly file: number;
}

export function createSharedRegions(): SharedRegions {
  const open = new Map<string, Open>();

  function find({ region, offset, byteSize }: RegionSpan): Open {
    const found = open.get(region);
    if (!found) throw new KserveError(status.NOT_FOUND, `Unable to find shared memory region: '${region}'`);
    const size = found.region.byte_size;
    const wrong =
      offset < 0 || offset >= size
        ? 'offset'
        : byteSize <= 0 || offset + byteSize > size
          ? 'offset + byte size'
          : null;
    if (wrong !== null)
      throw new KserveError(
        status.INVALID_ARGUMENT,
        `Invalid ${wrong} for shared memory region: '${region}'`,
      );
    return found;
  }

  function close(name: string): void {
    const found = open.get(name);
    if (!found) return;
    open.delete(name);
    closeSync(found.file);
  }

  const closeAll = () => [...open.keys()].forEach(close);

  return {
    list(name) {
      const all = [...open.values()].map(({ region }) => region);
      const wanted = name === '' ? all : all.filter((region) => region.name === name);
      if (name !== '' && wanted.length === 0)
        throw new KserveError(status.NOT_FOUND, `Unable to find system shared memory region: '${name}'`);
      return Object.fromEntries(wanted.map((region) => [region.name, region]));
    },
    register(region) {
      const { name } = region;
      if (open.has(name))
        throw new KserveError(status.ALREADY_EXISTS, `shared memory region '${name}' already in manager`);
      open.set(name, openRegion(region));
    },
    unregister: (name) => (name === '' ? closeAll() : close(name)),
    check: (span) => void find(span),
    read(span) {
      const { file, region } = find(span);
      const bytes = new Uint8Array(span.byteSize);
      readSync(file, bytes, 0, bytes.byteLength, region.offset + span.offset);
      return bytes;
    },
    write(span, bytes) {
      const { file, region } = find(span);
      writeSync(file, bytes, 0, bytes.byteLength, region.offset + span.offset);
    },
    [Symbol.dispose]: closeAll,
  };
}

function openRegion(region: SharedRegion): Open {
  const file = openObject(region.key);
  const wrong = findWrong(region, fstatSync(file).size);
  if (wrong === null) return { region, file };
  closeSync(file);
  throw new KserveError(
    status.INVALID_ARGUMENT,
    `failed to register shared memory region '${region.name}': ${wrong}`,
  );
}

/** What is read and written as a file here is mapped by Triton, which whole pages alone can be. */
function findWrong({ offset, byte_size }: SharedRegion, size: number): string | null {
  if (offset + byte_size > size) return 'invalid args';
  return byte_size > 0 && offset % PAGE_BYTES === 0
    ? null
    : 'unable to process address spaceInvalid argument';
}

function openObject(key: string): number {
  const name = KEY.exec(key)?.groups?.file ?? '';
  try {
    if (name === '' || name === '.' || name === '..') throw new RangeError('not the name of an object');
    // Neither through a link to another file, nor waiting for the other end of a pipe.
    return openSync(join(DIRECTORY, name), constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw new KserveError(status.INTERNAL, `Unable to open shared memory region: '${key}'`, error);
  }
}

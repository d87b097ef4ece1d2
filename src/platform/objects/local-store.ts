import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open, rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { systemCodeOf } from '../../kernel/errors.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { readFooter, toFooter } from './footer.ts';
import { checkKey, checkPrefix } from './keys.ts';
import { fileOf, incomingOf, listFiles } from './layout.ts';
import type {
  ListedObject,
  ObjectHead,
  ObjectStore,
  OpenedObject,
  PutOptions,
  SignOptions,
  StoredObject,
} from './object-store.ts';
import { ObjectError } from './object-store.ts';
import { prepareFolder } from './prepare-folder.ts';
import { publish, writeDurably } from './publish.ts';
import type { SignedGet } from './signed-path.ts';
import { signPath, verifyPath } from './signed-path.ts';

export interface LocalStoreDeps {
  /** Made when it is missing, readable by its owner only; several processes may share it. */
  readonly directory: string;
  /** Scheme, host and port in front of signed paths; asked at each signing, for the port may be known late. */
  readonly baseUrl: () => string;
  /** Secret; at least 32 bytes. The same in every process that signs or serves. */
  readonly signingKey: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
}

export interface LocalStore extends ObjectStore {
  /**
   * What the raw path and query of a request grant, or null: not signed by this store, changed by
   * as much as a character, expired, or asked with another method than the GET it was signed for.
   */
  verifySignedPath(pathAndQuery: string, method?: string): SignedGet | null;
}

/**
 * Objects as files below `directory`. Safe among processes: an object appears by link(2), which
 * fails when the name is taken, so that no reader sees half of one and no writer replaces one.
 *
 * Rejects with a `StartError` when the folder cannot be made, written or linked in. Holds nothing
 * open between calls. Sweeps leftovers of writers that died more than a day ago.
 */
export async function openLocalStore(deps: LocalStoreDeps): Promise<LocalStore> {
  if (deps.signingKey.length < 32) throw new RangeError('The signing key needs at least 32 bytes.');
  await prepareFolder(deps);
  const { directory } = deps;
  return {
    put: (key, bytes, options) => put(deps, key, { bytes, options }),
    open: (key) => openObject(directory, key),
    head: (key) => headObject(directory, key),
    delete: (key) => deleteObject(directory, key),
    list: (prefix) => listObjects(directory, prefix),
    signGet: async (key: string, options: SignOptions) => deps.baseUrl() + signPath(deps, key, options),
    verifySignedPath: (pathAndQuery, method = 'GET') => verifyPath(deps, pathAndQuery, method),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function put(
  { directory, random }: LocalStoreDeps,
  key: string,
  { bytes, options }: { bytes: Uint8Array; options: PutOptions },
): Promise<StoredObject> {
  checkKey(key);
  const digest = createHash('sha256').update(bytes).digest();
  const footer = toFooter(options.contentType, digest);
  const temporary = incomingOf(directory, Buffer.from(random.bytes(16)).toString('hex'));
  try {
    await writeDurably(temporary, [bytes, footer]);
    await publish(temporary, fileOf(directory, key));
  } catch (error) {
    throw systemCodeOf(error) === 'EEXIST'
      ? new ObjectError('ALREADY_EXISTS', `Object ${key} exists already.`, { cause: error })
      : unavailable(error);
  } finally {
    // A leftover costs space until the next sweep; failing the write for it would cost the picture.
    await rm(temporary, { force: true }).catch(() => undefined);
  }
  return { size: bytes.length, sha256: digest.toString('hex') };
}

async function openObject(directory: string, key: string): Promise<OpenedObject | null> {
  const file = await openFile(directory, key);
  if (file === null) return null;
  try {
    const head = await readFooter(file);
    if (head.size > 0) return { ...head, stream: file.createReadStream({ start: 0, end: head.size - 1 }) };
    await file.close();
    return { ...head, stream: Readable.from([]) };
  } catch (error) {
    await file.close();
    throw unavailable(error);
  }
}

async function headObject(directory: string, key: string): Promise<ObjectHead | null> {
  const file = await openFile(directory, key);
  if (file === null) return null;
  try {
    return await readFooter(file);
  } catch (error) {
    throw unavailable(error);
  } finally {
    await file.close();
  }
}

async function deleteObject(directory: string, key: string): Promise<void> {
  checkKey(key);
  const path = fileOf(directory, key);
  try {
    await rm(path, { force: true });
  } catch (error) {
    if (isMissing(error)) return;
    throw unavailable(error);
  }
  await removeEmptyFolders(dirname(path), directory);
}

// Ends at the first folder that holds something, and at the root of the store. A writer that made
// the same folder a moment ago notices and makes it again.
async function removeEmptyFolders(folder: string, root: string): Promise<void> {
  for (let each = folder; each !== root; each = dirname(each)) {
    try {
      await rmdir(each);
    } catch {
      return;
    }
  }
}

async function* listObjects(directory: string, prefix: string): AsyncGenerator<ListedObject> {
  checkPrefix(prefix);
  try {
    yield* listFiles(directory, prefix);
  } catch (error) {
    throw unavailable(error);
  }
}

async function openFile(directory: string, key: string): Promise<FileHandle | null> {
  checkKey(key);
  try {
    return await open(fileOf(directory, key), 'r');
  } catch (error) {
    if (isMissing(error)) return null;
    throw unavailable(error);
  }
}

function isMissing(error: unknown): boolean {
  const code = systemCodeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function unavailable(error: unknown): ObjectError {
  if (error instanceof ObjectError) return error;
  const code = systemCodeOf(error) ?? 'an unknown error';
  return new ObjectError('UNAVAILABLE', `The object folder answered ${code}.`, { cause: error });
}

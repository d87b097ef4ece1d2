import { closeSync, constants, ftruncateSync, openSync, readdirSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../kernel/random.ts';
import { once } from '../../kernel/once.ts';
import type { KserveClient } from '../../platform/kserve/index.ts';
import { KserveError, status } from '../../platform/kserve/index.ts';

/** Memory that this process writes and the node reads, for one call at a time. Disposing gives it back. */
export interface InputRegion extends Disposable {
  /** What the node knows it by. */
  readonly name: string;
  write(bytes: Uint8Array, offset: number): void;
}

/** Shared memory between this process and one node. Disposing takes it back from the node. */
export interface InputRegions extends AsyncDisposable {
  /**
   * A region of at least `byteSize` bytes that no call is using. Null when the two cannot share memory:
   * the node does not offer it or is on another machine, or there is none left here. Rejects with a
   * `KserveError` when the node is not well.
   */
  borrow(byteSize: number): Promise<InputRegion | null>;
  /** The node has lost them: those that it is given from now on are new. */
  forget(): void;
}

export interface InputRegionDeps {
  readonly client: KserveClient;
  readonly random: Random;
}

// Where shm_open(3) has its objects on Linux. Memory is shared by writing to the file and not by mapping it,
// which Node cannot do; on a file system in memory the one costs a copy, as the other would.
const DIRECTORY = '/dev/shm';
const NAME = /^darkroom-(?<pid>\d+)-[0-9a-f]+$/;
const CAPACITY_MIN = 64 * 2 ** 10;
const UNREGISTER_MS = 250;

interface Held {
  readonly name: string;
  readonly capacity: number;
  readonly file: number;
}

/** Makes nothing yet: the first call that wants a region does. */
export function openInputRegions({ client, random }: InputRegionDeps): InputRegions {
  const idle = new Set<Held>();
  const known = new Set<string>();
  const clearAway = once(() => clearAwayOfTheDead(client));
  let isRefused = false;
  let generation = 0;

  async function make(byteSize: number): Promise<Held | null> {
    await clearAway();
    const held = await share(client, nameOf(random), capacityFor(byteSize));
    if (held) known.add(held.name);
    else isRefused = true;
    return held;
  }

  function lend(held: Held): InputRegion {
    const lentIn = generation;
    return {
      name: held.name,
      write: (bytes, offset) => writeAll(held.file, bytes, offset),
      [Symbol.dispose]() {
        // What a call that was cut short is still computed from does not matter: nobody reads its answer.
        if (lentIn === generation) idle.add(held);
        else closeSync(held.file);
      },
    };
  }

  function forget(): void {
    generation += 1;
    for (const { file } of idle) closeSync(file);
    idle.clear();
  }

  return {
    async borrow(byteSize) {
      const [fitting] = [...idle]
        .filter(({ capacity }) => capacity >= byteSize)
        .toSorted((a, b) => a.capacity - b.capacity);
      if (fitting) {
        idle.delete(fitting);
        return lend(fitting);
      }
      const made = isRefused ? null : await make(byteSize);
      return made && lend(made);
    },
    forget,
    async [Symbol.asyncDispose]() {
      forget();
      isRefused = true;
      const limit = AbortSignal.timeout(UNREGISTER_MS);
      await Promise.allSettled([...known].map((name) => client.unregisterRegion(name, limit)));
    },
  };
}

function nameOf(random: Random): string {
  return `darkroom-${process.pid}-${Buffer.from(random.bytes(8)).toString('hex')}`;
}

/** Powers of two, so that calls with more rows or fewer find a region that fits. */
function capacityFor(byteSize: number): number {
  return Math.max(CAPACITY_MIN, 2 ** Math.ceil(Math.log2(byteSize)));
}

/** A region that the node has mapped, and that nothing but the two have a name for any more; or null. */
async function share(client: KserveClient, name: string, capacity: number): Promise<Held | null> {
  const path = join(DIRECTORY, name);
  const file = createFile(path, capacity);
  if (file === null) return null;
  try {
    await client.registerRegion({ name, key: `/${name}`, offset: 0, byte_size: capacity });
    return { name, capacity, file };
  } catch (error) {
    closeSync(file);
    if (!(error instanceof KserveError) || isUnwell(error)) throw error;
    return null;
  } finally {
    // Whatever becomes of this process, the memory goes with the last of the two.
    unlinkSync(path);
  }
}

/** Says nothing of shared memory: the call that wanted it would have ended in the same way. */
function isUnwell({ retryable, status: code }: KserveError): boolean {
  return retryable || code === status.DEADLINE_EXCEEDED || code === status.CANCELLED;
}

function createFile(path: string, capacity: number): number | null {
  let file: number | null = null;
  try {
    file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    // Not only its length: a page that was never written takes memory later, when there may be none.
    for (let at = 0; at < capacity; at += CAPACITY_MIN) writeAll(file, ZEROES, at);
    ftruncateSync(file, capacity);
    return file;
  } catch {
    // No such folder, no right to it, or no memory left: the bytes travel in the request then.
    if (file === null) return null;
    closeSync(file);
    unlinkSync(path);
    return null;
  }
}

const ZEROES = new Uint8Array(CAPACITY_MIN);

function writeAll(file: number, bytes: Uint8Array, offset: number): void {
  let done = 0;
  while (done < bytes.byteLength)
    done += writeSync(file, bytes, done, bytes.byteLength - done, offset + done);
}

/** Takes back what processes that were killed left: names in the folder, and memory that the node holds. */
async function clearAwayOfTheDead(client: KserveClient): Promise<void> {
  for (const name of listNames().filter(isOfTheDead)) {
    try {
      unlinkSync(join(DIRECTORY, name));
    } catch {
      // Another process was quicker, or it is another user's.
    }
  }
  const regions = await client.sharedRegions().catch(() => []);
  const left = regions.filter(({ name }) => isOfTheDead(name));
  await Promise.allSettled(left.map(({ name }) => client.unregisterRegion(name)));
}

function listNames(): readonly string[] {
  try {
    return readdirSync(DIRECTORY);
  } catch {
    return [];
  }
}

function isOfTheDead(name: string): boolean {
  const pid = NAME.exec(name)?.groups?.pid;
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

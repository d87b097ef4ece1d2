import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasSystemCode } from '../../kernel/errors.ts';

/**
 * Takes a name that one process of this machine (on Linux: of its network namespace) has at a time, or
 * returns null when another has it. Disposing gives it back.
 *
 * The name is an address that the process listens on: the kernel takes it back in the moment the
 * process ends, however it ends. A file with a process number would outlive a `kill -9`, and name a
 * stranger once the number is used again.
 */
export async function takeExclusive(name: string): Promise<AsyncDisposable | null> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  const address = addressOf(name);
  // Elsewhere a kill -9 leaves the file at which nobody listens any more. Of two that find it in the same
  // moment both may get the name: what the name stands for needs a lock of its own there, as Postgres has.
  if (!HAS_ABSTRACT_ADDRESSES && !(await isTaken(name))) await rm(address, { force: true });
  try {
    server.listen(address);
    await once(server, 'listening');
  } catch (error) {
    if (hasSystemCode(error, 'EADDRINUSE')) return null;
    throw error;
  }
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}

/** Whether a process has the name now. */
export async function isTaken(name: string): Promise<boolean> {
  const socket = connect(addressOf(name));
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

// Linux has addresses that are no files, which nothing can leave behind.
const HAS_ABSTRACT_ADDRESSES = process.platform === 'linux';

function addressOf(name: string): string {
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 32);
  return HAS_ABSTRACT_ADDRESSES ? `\0darkroom-${digest}` : join(tmpdir(), `darkroom-${digest}.sock`);
}

import { once } from 'node:events';
import { createServer } from 'node:net';
import { hasSystemCode } from '../../kernel/errors.ts';
import type { Random } from '../../kernel/random.ts';
import { unitInterval } from '../../kernel/random.ts';

// Below what Linux (32768) and the others (49152) give to outgoing connections. A client that keeps
// knocking at a port from that range while nobody listens there is some day given the very port that it
// knocks at, talks to itself, and keeps the server that comes back from listening.
const LOWEST = 20_000;
const HIGHEST = 32_767;
const ATTEMPTS = 100;

/** A TCP port of this machine's loopback that is free at this moment. Another program may still take it. */
export async function findFreePort(): Promise<number> {
  await using server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('A TCP server has no port.');
  return address.port;
}

/**
 * A free TCP port of the loopback for a server that is to come back under it: none that the system would
 * give to an outgoing connection while the server is away.
 */
export async function findLastingPort(random: Random): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = LOWEST + Math.floor(unitInterval(random) * (HIGHEST - LOWEST + 1));
    if (await isPortFree(port)) return port;
  }
  return findFreePort();
}

/** Whether `port` can be listened on at the loopback now. */
export async function isPortFree(port: number): Promise<boolean> {
  await using server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return true;
  } catch (error) {
    if (hasSystemCode(error, 'EADDRINUSE', 'EACCES')) return false;
    throw error;
  }
}

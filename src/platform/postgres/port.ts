import { once } from 'node:events';
import { createServer } from 'node:net';
import { hasSystemCode } from '../../kernel/errors.ts';

/** A TCP port of this machine's loopback that is free at this moment. Another program may still take it. */
export async function findFreePort(): Promise<number> {
  await using server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('A TCP server has no port.');
  return address.port;
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

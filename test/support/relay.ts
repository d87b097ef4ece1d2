import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A stretch of wire before a server on the loopback, which can be cut and which can go dead. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Breaks every connection, as a killed process does; new ones are accepted. */
  drop(): void;
  /** From now on moves no byte in either direction, but keeps the sockets, as a hung machine does. */
  freeze(): void;
}

export async function startRelay(targetPort: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  let isFrozen = false;

  function carry(from: Socket, to: Socket): void {
    sockets.add(from);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
    if (!isFrozen) from.pipe(to);
  }

  const server = createServer((outside) => {
    const inside = connect(targetPort, '127.0.0.1');
    carry(outside, inside);
    carry(inside, outside);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  function drop(): void {
    for (const socket of sockets) socket.destroy();
  }
  return {
    port: (server.address() as AddressInfo).port,
    drop,
    freeze() {
      isFrozen = true;
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    },
    async [Symbol.asyncDispose]() {
      server.close();
      drop();
    },
  };
}

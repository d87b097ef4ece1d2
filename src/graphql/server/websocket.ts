import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server as ProtocolServer } from 'graphql-ws';
import { handleProtocols, makeServer } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import type { ApiFigures } from '../../domains/operations/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { rawAnswer, refusalOf } from '../../platform/http/index.ts';
import { GRAPHQL_PATH } from './http.ts';
import { isOriginAllowed } from './origin.ts';
import { createSocketIds } from './socket-ids.ts';
import type { SocketMeter } from './socket-meter.ts';
import { createSocketMeter } from './socket-meter.ts';
import { createOutbox } from './socket-outbox.ts';
import type { SocketProtocolDeps } from './socket-protocol.ts';
import { socketProtocol } from './socket-protocol.ts';
import type { SocketLimits, SocketRegistry } from './socket-registry.ts';
import { createSocketRegistry } from './socket-registry.ts';
import type { SocketSession } from './socket-session.ts';
import { abortOperations, CLOSE, createSession, reapOperations } from './socket-session.ts';
import { watchSockets } from './socket-watch.ts';

/** Open sockets: disposing of it closes them. */
export interface SocketDoor extends AsyncDisposable {
  figures(): ApiFigures;
}

export interface SocketDoorDeps extends Omit<SocketProtocolDeps, 'sockets' | 'meter'> {
  readonly server: Server;
  readonly clock: Clock;
  /** Origins such as `https://console.example.com` whose pages may connect, besides the server's own. */
  readonly allowedOrigins: readonly string[];
  readonly socketLimits?: SocketLimits | undefined;
}

const FRAME_BYTES_MAX = 64 * 1024;
const NO_WEBSOCKET = 'Only a WebSocket can be opened here: upgrade by GET, version 13, with a key.';
const TOO_MANY_STRANGERS = 'Too many sockets have not shown their keys yet. Try again in a moment.';
const FAREWELL_MS = 2_000;

/**
 * Serves subscriptions at `/graphql`. Closing it refuses new sockets, closes the open ones with 1001
 * and cuts off those that do not leave; the HTTP server itself stays the caller's.
 */
export function openSocketDoor(deps: SocketDoorDeps): SocketDoor {
  const { server, clock, logger } = deps;
  const sockets = createSocketRegistry(deps.socketLimits);
  const meter = createSocketMeter(sockets.open);
  const protocol = makeServer(socketProtocol({ ...deps, sockets, meter }));
  const wire = new WebSocketServer({
    noServer: true,
    maxPayload: FRAME_BYTES_MAX,
    // Off: a few bytes of a compressed frame can stand for any number of plain ones.
    perMessageDeflate: false,
    handleProtocols,
  });
  // The library's own refusals of a handshake are pages of HTML.
  wire.on('wsClientError', (_error, socket) => refuseUpgrade(socket, 400, NO_WEBSOCKET));
  const closing = new AbortController();
  const watch = watchSockets({ sockets, access: deps.services.access, clock, logger }, closing.signal);
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refusal = closing.signal.aborted ? 503 : refusalStatus(request, deps.allowedOrigins);
    if (refusal !== null) return refuseUpgrade(socket, refusal);
    const address = request.socket.remoteAddress ?? '';
    if (!sockets.hasRoom(address)) return refuseUpgrade(socket, 429, TOO_MANY_STRANGERS);
    return wire.handleUpgrade(request, socket, head, (opened) =>
      serve(opened, protocol, { sockets, meter, address, ...deps }),
    );
  };
  server.on('upgrade', upgrade);
  return {
    figures: () => meter.figures(),
    async [Symbol.asyncDispose]() {
      closing.abort();
      await watch;
      await sayFarewell(sockets.open, clock);
      server.off('upgrade', upgrade);
      wire.close();
    },
  };
}

function refusalStatus(request: IncomingMessage, allowedOrigins: readonly string[]): number | null {
  const [path] = (request.url ?? '').split('?');
  if (path !== GRAPHQL_PATH) return 404;
  return isOriginAllowed(request, allowedOrigins) ? null : 403;
}

function refuseUpgrade(socket: Duplex, status: number, message?: string): void {
  socket.on('error', () => socket.destroy());
  socket.end(rawAnswer(refusalOf(status, message)), () => socket.destroy());
}

type ServeDeps = Pick<SocketDoorDeps, 'logger'> & {
  readonly sockets: SocketRegistry;
  readonly meter: SocketMeter;
  readonly address: string;
};

function serve(
  socket: WebSocket,
  protocol: ProtocolServer<SocketSession>,
  { sockets, meter, logger, address }: ServeDeps,
): void {
  const outbox = createOutbox(socket, meter);
  const session = createSession(socket, outbox, address);
  const ids = createSocketIds();
  sockets.add(session);
  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      async send(text) {
        const told = ids.outgoing(text);
        if (told === null) outbox.giveBack();
        else await outbox.send(told);
      },
      // The library's reason names the id, which may be longer than a reason can be.
      close: (code, reason) => socket.close(code, code === CLOSE.ID_IN_USE ? 'Id in use' : reason),
      onMessage: (handle) =>
        socket.on('message', (data, isBinary) => {
          if (isBinary) return socket.close(CLOSE.UNSUPPORTED_DATA, 'Text frames only');
          handle(ids.incoming(String(data))).catch((error: unknown) => {
            logger.error({ err: error }, 'A message on a socket could not be handled.');
            socket.close(CLOSE.INTERNAL_ERROR, 'Internal error');
          });
          return reapOperations(session);
        }),
    },
    session,
  );
  socket.on('pong', () => {
    session.isAlive = true;
  });
  // The library answers pings by itself; a client that sends them and reads nothing fills the buffer.
  socket.on('ping', () => outbox.cutOffIfFull());
  // The library closes with the right code after an error: 1009 for a frame too large, 1007 for bad UTF-8.
  socket.on('error', (error) => logger.debug({ err: error }, 'A socket failed.'));
  socket.once('close', (code, reason) => {
    sockets.remove(session);
    abortOperations(session);
    closed(code, String(reason)).catch((error: unknown) =>
      logger.error({ err: error }, 'A stream could not be ended.'),
    );
  });
}

async function sayFarewell(sessions: ReadonlySet<SocketSession>, clock: Clock): Promise<void> {
  const leaving = [...sessions].map(async ({ socket }) => {
    socket.close(CLOSE.GOING_AWAY, 'Going away');
    if (socket.readyState !== socket.CLOSED) await once(socket, 'close');
  });
  const left = new AbortController();
  const late = clock.sleep(FAREWELL_MS, left.signal).catch(() => undefined);
  await Promise.race([Promise.all(leaving), late]);
  left.abort();
  for (const { socket } of sessions) socket.terminate();
}

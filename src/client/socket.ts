import { print } from 'graphql';
import type { Client } from 'graphql-ws';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { asRecord, DarkroomError, fromGraphqlErrors } from './errors.ts';
import { createInbox } from './inbox.ts';
import type { Operation } from './operation.ts';
import { watchPongs } from './pong-watch.ts';
import type { Timing } from './timing.ts';

export interface SocketDeps {
  readonly ws: string;
  readonly apiKey: string;
  readonly timing: Timing;
  readonly pingEveryMs: number;
}

const CONNECT_MS = 10_000;
// A message is an event with a preview of a few kilobytes.
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

const FORBIDDEN = 4403;
const TOO_MANY = 4429;
// The ones that say that this client and that server will never understand each other.
const HOPELESS: ReadonlySet<number> = new Set([4004, 4005, 4400, 4401, 4406, 4409, 4500]);

/**
 * Runs one subscription on a socket of its own until the server completes it, `signal` fires (both
 * end the iteration) or it fails. Throws a `DarkroomError`: the API's own code, UNAUTHENTICATED when
 * the key is refused, RATE_LIMITED when it has too many sockets, UNREACHABLE when the socket was lost. Never
 * reconnects: only the caller knows where to go on from. What the caller does not take is left with the
 * server. The socket is closed when the iteration ends, however it ends.
 */
export async function* subscribe<Result, Variables extends Record<string, unknown>>(
  deps: SocketDeps,
  operation: { readonly document: Operation<Result, Variables>; readonly variables: Variables },
  signal: AbortSignal,
): AsyncGenerator<Result> {
  if (signal.aborted) return;
  const inbox = createInbox<Result>({
    pause: () => connection.pause(),
    resume: () => connection.resume(),
  });
  signal.addEventListener('abort', inbox.end, { once: true });
  const connection = connect(deps, inbox.fail);
  const stop = connection.client.subscribe<Result>(
    { query: print(operation.document), variables: operation.variables },
    {
      next: ({ data, errors }) => {
        if (errors !== undefined && errors.length > 0) inbox.fail(fromGraphqlErrors(errors));
        else if (data !== undefined && data !== null) inbox.push(data);
      },
      error: (error) => inbox.fail(toError(error)),
      complete: inbox.end,
    },
  );
  try {
    yield* inbox;
  } finally {
    signal.removeEventListener('abort', inbox.end);
    stop();
    connection.close();
  }
}

interface Connection {
  readonly client: Client;
  /** Stops reading; the server soon stops sending. */
  pause(): void;
  resume(): void;
  close(): void;
}

function connect(
  { ws, apiKey, timing, pingEveryMs }: SocketDeps,
  onLost: (error: DarkroomError) => void,
): Connection {
  let socket: WebSocket | null = null;
  const giveUp = () => {
    client.terminate();
    // Without it the dead socket waits half a minute for an answer to its goodbye.
    socket?.terminate();
  };
  const pongs = watchPongs(timing, giveUp);
  const client = createClient({
    url: ws,
    webSocketImpl: Socket,
    connectionParams: { authorization: `Bearer ${apiKey}` },
    connectionAckWaitTimeout: CONNECT_MS,
    keepAlive: pingEveryMs,
    retryAttempts: 0,
    on: {
      opened: (opened) => {
        socket = opened instanceof WebSocket ? opened : null;
      },
      ping: (received) => {
        if (!received) pongs.pinged();
      },
      pong: (received) => {
        if (received) pongs.ponged();
      },
      closed: (event) => {
        pongs.stop();
        onLost(toError(event));
        // Before the library acts on it: it would take a normal closure for a reason to reconnect.
        close();
      },
    },
  });
  // Rejects when there never was a connection, and then there is nothing to close.
  const close = () => {
    pongs.stop();
    // What waits before the server's goodbye would keep it from being heard.
    socket?.resume();
    void Promise.resolve(client.dispose()).catch(() => undefined);
  };
  const pause = () => {
    pongs.pause();
    socket?.pause();
  };
  const resume = () => {
    socket?.resume();
    pongs.resume();
  };
  return { client, pause, resume, close };
}

class Socket extends WebSocket {
  constructor(address: string | URL, protocols?: string | string[]) {
    super(address, protocols, {
      handshakeTimeout: CONNECT_MS,
      maxPayload: MESSAGE_BYTES_MAX,
      perMessageDeflate: false,
    });
    // An error is followed by a close, which is acted upon; without a listener it ends the process.
    this.on('error', () => undefined);
  }
}

function toError(reason: unknown): DarkroomError {
  if (Array.isArray(reason)) return fromGraphqlErrors(reason);
  const code = asRecord(reason)?.['code'];
  if (code === FORBIDDEN) return new DarkroomError('UNAUTHENTICATED', 'The API refuses this key.');
  if (code === TOO_MANY) {
    return new DarkroomError('RATE_LIMITED', 'This key has too many event streams open.', { cause: reason });
  }
  if (typeof code === 'number' && HOPELESS.has(code)) {
    return new DarkroomError('BAD_ANSWER', `The API closed the socket with ${code}. Is it Darkroom's API?`);
  }
  return new DarkroomError('UNREACHABLE', 'The connection to the API was lost.', { cause: reason });
}

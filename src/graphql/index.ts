import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { ApiFigures } from '../domains/operations/index.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { Readiness } from '../platform/http/index.ts';
import { closeHttp, listen, openHttp, serveHealth } from '../platform/http/index.ts';
import type { Services } from './context.ts';
import { createMask } from './errors/mask.ts';
import { buildSchema } from './schema/build-schema.ts';
import { createGuard } from './server/guard.ts';
import { GRAPHQL_PATH, openHttpDoor } from './server/http.ts';
import { LIMITS } from './server/limits.ts';
import type { SocketLimits } from './server/socket-registry.ts';
import { openSocketDoor } from './server/websocket.ts';

export type { Services } from './context.ts';
export type { SocketLimits } from './server/socket-registry.ts';

export interface ApiOptions {
  readonly services: Services;
  /** Whether clients may ask for the schema. Off for tenants. */
  readonly introspection: boolean;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** What clients reach it as, when that is not its own address: `https://api.example.com`. */
  readonly publicUrl?: string | undefined;
  /** Origins whose pages may open a WebSocket, besides the server's own. */
  readonly allowedOrigins: readonly string[];
  /** By default as many as a process can hold. */
  readonly socketLimits?: SocketLimits | undefined;
  readonly readiness: Readiness;
  /** Adds routes beside GraphQL's, before the server listens. */
  readonly routes?: ((http: FastifyInstance) => void) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A listening API. Disposing of it says goodbye to sockets, finishes requests and stops within seconds. */
export interface Api extends AsyncDisposable {
  readonly httpUrl: string;
  readonly wsUrl: string;
  readonly port: number;
  /** What its sockets cost and carry: reads counters, so it may be asked at any time. */
  figures(): ApiFigures;
}

const GRACE_MS = 10_000;

/**
 * Serves GraphQL at `/graphql` over HTTP and WebSocket, `/healthz` and `/readyz`. Rejects with a
 * `StartError` that says what to do when it cannot listen. `services` stay the caller's.
 */
export async function startApi(options: ApiOptions): Promise<Api> {
  const { services, clock, logger } = options;
  const newRequestId = requestIds(options.random);
  const schema = buildSchema();
  const guard = createGuard(schema, options);
  const mask = createMask(logger);
  const http = openHttp({ bodyBytesMax: LIMITS.bodyBytesMax, newRequestId, logger });

  await using stack = new AsyncDisposableStack();
  stack.use(await openHttpDoor(http, { schema, guard, mask, services, logger }));
  stack.defer(() => closeHttp(http, { clock, graceMs: GRACE_MS }));
  serveHealth(http, { readiness: options.readiness, clock });
  options.routes?.(http);
  // Closed before the server: it waits for every connection, and a socket is one that does not end by itself.
  const door = stack.use(
    openSocketDoor({ ...options, server: http.server, schema, guard, mask, newRequestId }),
  );
  const port = await listen(http, options);

  const owned = stack.move();
  const { figures } = door;
  return { ...urlsOf(options, port), port, figures, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Named by us and never by the client, so that one in a log points at one request. */
function requestIds(random: Random): () => string {
  return () => `req_${Buffer.from(random.bytes(12)).toString('base64url')}`;
}

function urlsOf({ host, publicUrl }: ApiOptions, port: number): Pick<Api, 'httpUrl' | 'wsUrl'> {
  const url = new URL(GRAPHQL_PATH, publicUrl ?? `http://${reachable(host)}:${port}`);
  const httpUrl = url.href;
  return { httpUrl, wsUrl: httpUrl.replace(/^http/, 'ws') };
}

/** An address that a client can use for one to listen on: `0.0.0.0` is every address and so none. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

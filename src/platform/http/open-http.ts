import type { Server } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fastify } from 'fastify';
import type { Logger } from 'pino';
import type { ErrorAnswer } from './errors.ts';
import { HttpError, refusalOf, toErrorAnswer } from './errors.ts';
import { acceptJsonOnly } from './json-body.ts';

export interface HttpOptions {
  readonly bodyBytesMax: number;
  readonly newRequestId: () => string;
  readonly logger: Logger;
  readonly timeouts?: HttpTimeouts;
}

/** How long a client may take, in milliseconds; what is late is found at the next check. */
export interface HttpTimeouts {
  /** For the head of a request. */
  readonly headersMs: number;
  /** For the whole of it. */
  readonly requestMs: number;
  /** Between two bytes of a connection, in either direction. */
  readonly connectionMs: number;
  readonly checkEveryMs: number;
}

// What ends a client that sends or reads one byte at a time.
const TIMEOUTS: HttpTimeouts = {
  headersMs: 10_000,
  requestMs: 30_000,
  connectionMs: 60_000,
  checkEveryMs: 2_000,
};
const KEEP_ALIVE_MS = 15_000;
const HEADER_BYTES_MAX = 16 * 1024;
const PATH_PARAM_CHARS_MAX = 512;

/**
 * A Fastify instance, not yet listening, on which whatever goes wrong is answered as JSON and nothing
 * that a client sends can hold memory or a connection for long. It trusts no header about who the
 * client is or what the request is called. The caller owns it and closes it.
 */
export function openHttp({
  bodyBytesMax,
  newRequestId,
  logger,
  timeouts = TIMEOUTS,
}: HttpOptions): FastifyInstance {
  const http = fastify({
    bodyLimit: bodyBytesMax,
    connectionTimeout: timeouts.connectionMs,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    // What still arrives on an open connection during a shutdown is answered, and the connection closed.
    return503OnClosing: false,
    http: {
      headersTimeout: timeouts.headersMs,
      connectionsCheckingInterval: timeouts.checkEveryMs,
      maxHeaderSize: HEADER_BYTES_MAX,
      // Node's own answer to a request without one has no body; `refuseHostless` has.
      requireHostHeader: false,
    },
    routerOptions: { maxParamLength: PATH_PARAM_CHARS_MAX },
    exposeHeadRoutes: false,
    trustProxy: false,
    requestIdHeader: false,
    genReqId: newRequestId,
    // Fastify's own request log holds whole URLs, and a signed URL is a secret.
    logger: false,
    frameworkErrors: answerErrors(logger),
    clientErrorHandler: answerClientError,
  });
  acceptJsonOnly(http);
  answerBeforeRoutes(http.server);
  http.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'x-request-id': request.id,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    refuseHostless(request);
  });
  http.addHook('onResponse', async (request, reply) => logResponse(logger, request, reply));
  http.setErrorHandler(answerErrors(logger));
  http.setNotFoundHandler(() => {
    throw new HttpError(404, 'NOT_FOUND', 'There is nothing at this address.');
  });
  return http;
}

function answerErrors(logger: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const { status, body, retryAfterSeconds, isFault } = toErrorAnswer(error, request.id);
    if (isFault) logger.error({ err: error, requestId: request.id }, 'Request failed.');
    if (retryAfterSeconds !== null) reply.header('retry-after', retryAfterSeconds);
    reply.code(status).send(body);
  };
}

function refuseHostless({ raw: { httpVersion, headers } }: FastifyRequest): void {
  if (httpVersion === '1.1' && headers.host === undefined) {
    throw new HttpError(400, 'BAD_REQUEST', 'A request needs one Host header.');
  }
}

/** What Node answers by itself, without a body or not at all, unless somebody listens. */
function answerBeforeRoutes(server: Server): void {
  server.on('checkExpectation', (_request, response) => {
    response.shouldKeepAlive = false;
    const { status, body: json } = refusalOf(417);
    const body = JSON.stringify(json);
    const type = 'application/json; charset=utf-8';
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
  });
  server.on('connect', (_request, socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(rawAnswer(refusalOf(405)), () => socket.destroy());
  });
}

// Before there is a request: Node could not make one of the bytes, or gave up waiting for them.
const CLIENT_ERRORS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(rawAnswer(refusalOf(CLIENT_ERRORS[error.code ?? ''] ?? 400)), () => socket.destroy());
}

/** A whole HTTP/1.1 answer as text, for sockets that have no response object. It closes the connection. */
export function rawAnswer({ status, body: json }: ErrorAnswer): string {
  const body = JSON.stringify(json);
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}

function logResponse(logger: Logger, request: FastifyRequest, reply: FastifyReply): void {
  const [path] = request.url.split('?');
  const { id: requestId, method } = request;
  logger.debug(
    { requestId, method, path, status: reply.statusCode, ms: reply.elapsedTime },
    'Request answered.',
  );
}

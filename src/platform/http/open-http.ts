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
}

// A request has to arrive within half a minute, its head within ten seconds, and a connection on
// which nothing moves for a minute is given up: that is what ends a client that sends or reads one
// byte at a time.
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
const TIMEOUT_CHECK_MS = 2_000;
const CONNECTION_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 15_000;
const HEADER_BYTES_MAX = 16 * 1024;
const PATH_PARAM_CHARS_MAX = 512;

/**
 * A Fastify instance, not yet listening, on which whatever goes wrong is answered as JSON and nothing
 * that a client sends can hold memory or a connection for long. It trusts no header about who the
 * client is or what the request is called. The caller owns it and closes it.
 */
export function openHttp({ bodyBytesMax, newRequestId, logger }: HttpOptions): FastifyInstance {
  const http = fastify({
    bodyLimit: bodyBytesMax,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    // What still arrives on an open connection during a shutdown is answered, and the connection closed.
    return503OnClosing: false,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
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
  http.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'x-request-id': request.id,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
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

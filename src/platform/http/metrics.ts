import { createHash, timingSafeEqual } from 'node:crypto';
import { isIPv4 } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { HttpError } from './errors.ts';

export interface ServeMetricsOptions {
  /** What a scraper elsewhere shows; null: there is none, and only this machine may read. */
  readonly token: string | null;
  readonly contentType: string;
  /** Makes the text of one answer. */
  render(): Promise<string>;
}

const SCHEME = /^Bearer +(\S+)$/i;

// What a proxy says of whom it speaks for. Every one of its requests comes from its own address.
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;

/**
 * `GET /metrics`, for processes on this machine and for whoever shows the token. To anybody else it is
 * an address that does not exist.
 */
export function serveMetrics(http: FastifyInstance, options: ServeMetricsOptions): void {
  http.get('/metrics', async (request, reply) => {
    if (!isLocal(request) && !hasToken(request, options.token)) {
      throw new HttpError(404, 'NOT_FOUND', 'There is nothing at this address.');
    }
    return reply.type(options.contentType).send(await options.render());
  });
}

function isLocal({ socket, headers }: FastifyRequest): boolean {
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  const isLoopback = address === '::1' || (isIPv4(address) && address.startsWith('127.'));
  return isLoopback && FORWARDED.every((name) => headers[name] === undefined);
}

function hasToken({ headers }: FastifyRequest, token: string | null): boolean {
  const shown = SCHEME.exec(headers.authorization ?? '')?.[1];
  return token !== null && shown !== undefined && timingSafeEqual(digest(shown), digest(token));
}

// Of one length whatever was sent, as the comparison needs it.
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HttpError } from './errors.ts';

export interface ServedObject {
  /** Owned by whoever opened it: read to its end or destroyed. */
  readonly stream: Readable;
  readonly size: number;
  readonly contentType: string;
}

/** What a valid signature grants. */
export interface ObjectGrant {
  readonly key: string;
  readonly disposition: 'inline' | 'attachment';
  /** Plain ASCII without quotes; null when the link names none. */
  readonly filename: string | null;
}

export interface ServeObjectsOptions {
  /** Starts and ends with a slash: `/objects/`. */
  readonly path: string;
  readonly nowMs: () => number;
  /** What the request line grants, taken character for character as it was sent; null for nothing. */
  verify(pathAndQuery: string): ObjectGrant | null;
  /** Null when there is no such object. */
  open(key: string): Promise<ServedObject | null>;
}

/**
 * GET and HEAD of signed, expiring URLs. The URL is the only key: whoever has it may read until it
 * expires. A signature that is missing, wrong or expired is 403, an object that is gone 404.
 */
export function serveObjects(http: FastifyInstance, options: ServeObjectsOptions): void {
  http.route({
    method: ['GET', 'HEAD'],
    url: `${options.path}*`,
    handler: (request, reply) => serveObject(options, request, reply),
  });
}

async function serveObject(options: ServeObjectsOptions, request: FastifyRequest, reply: FastifyReply) {
  const grant = options.verify(request.raw.url ?? '');
  if (!grant)
    throw new HttpError(
      403,
      'FORBIDDEN',
      'This link is not valid or has expired. Ask the API for a new one.',
    );
  const object = await options.open(grant.key);
  if (!object) throw new HttpError(404, 'NOT_FOUND', 'There is no such object.');
  reply.headers(headersOf(grant, object));
  // Not beyond the link's own life, and never in a cache that others share.
  reply.header('cache-control', `private, max-age=${secondsLeft(request, options.nowMs())}, immutable`);
  if (request.method === 'GET') return reply.send(object.stream);
  object.stream.destroy();
  return reply.send();
}

/** A verified link says in `expires` until when it holds, in seconds since the epoch. */
function secondsLeft(request: FastifyRequest, nowMs: number): number {
  const expires = new URL(request.url, 'http://localhost').searchParams.get('expires');
  return Math.max(0, Math.floor(Number(expires ?? 0) - nowMs / 1000));
}

function headersOf({ disposition, filename }: ObjectGrant, { size, contentType }: ServedObject) {
  return {
    'content-type': contentType,
    'content-length': size,
    'content-disposition': filename === null ? disposition : `${disposition}; filename="${filename}"`,
    // A page of another origin may show the picture: it got the link from us.
    'cross-origin-resource-policy': 'cross-origin',
    // Should a browser ever take one for a document, nothing in it runs.
    'content-security-policy': "default-src 'none'; sandbox",
  };
}

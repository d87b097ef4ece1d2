import type { FastifyInstance, FastifyRequest } from 'fastify';
import { HttpError } from './errors.ts';

const BYTE_ORDER_MARK = '\ufeff';
// `ignoreBOM` keeps the mark in the text instead of dropping it unseen.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const CHARSET = /;\s*charset\s*=\s*"?([^\s";]*)"?/i;

/**
 * Takes JSON in UTF-8 and nothing else: no other type, charset or compression, no byte order
 * mark, no bytes that are not UTF-8, no `__proto__` keys. What is refused is answered 400 or 415.
 */
export function acceptJsonOnly(http: FastifyInstance): void {
  http.removeAllContentTypeParsers();
  const parseJson = http.getDefaultJsonParser('error', 'error');
  http.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const text = decode(request, body);
    if (text instanceof HttpError) return done(text);
    return parseJson(request, text, done);
  });
}

function decode(request: FastifyRequest, body: string | Buffer): string | HttpError {
  if (!isPlainUtf8(request)) {
    return new HttpError(
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      'Send the body as application/json in UTF-8, uncompressed.',
    );
  }
  try {
    const text = utf8.decode(Buffer.from(body));
    if (!text.startsWith(BYTE_ORDER_MARK)) return text;
    return new HttpError(400, 'BAD_REQUEST', 'JSON begins without a byte order mark.');
  } catch {
    return new HttpError(400, 'BAD_USER_INPUT', 'The body is not valid UTF-8.');
  }
}

function isPlainUtf8({ headers }: FastifyRequest): boolean {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  const charset = CHARSET.exec(type)?.[1]?.toLowerCase() ?? 'utf-8';
  return encoding.toLowerCase() === 'identity' && (charset === 'utf-8' || charset === 'utf8');
}

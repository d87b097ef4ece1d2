import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHttp } from './open-http.ts';

let http: FastifyInstance;
let parsed: unknown;

beforeAll(() => {
  const logger = pino({ level: 'silent' });
  http = openHttp({ bodyBytesMax: 1_000_000, newRequestId: () => 'req_1', logger });
  http.post('/', async ({ body }) => {
    parsed = body;
    return {};
  });
});

afterAll(() => http.close());

async function post(payload: Buffer | string, contentType = 'application/json') {
  const {
    statusCode: status,
    headers,
    body,
  } = await http.inject({
    method: 'POST',
    url: '/',
    headers: { host: 'a', 'content-type': contentType },
    payload,
  });
  expect(headers['content-type']).toBe('application/json; charset=utf-8');
  const { errors } = JSON.parse(body) as { errors?: [{ extensions: { code: string } }] };
  return { status, code: errors?.[0].extensions.code };
}

// Each run is a request: fewer than usual keep this within seconds on a busy machine.
const RUNS = { numRuns: 40 };

describe('a body', { timeout: 30_000 }, () => {
  it('is any JSON whose keys leave prototypes alone, taken as it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json({ stringUnit: 'binary', maxDepth: 3 }), async (text) => {
        fc.pre(!/"(?:__proto__|constructor)"/.test(text));
        expect(await post(text)).toEqual({ status: 200, code: undefined });
        expect(parsed).toEqual(JSON.parse(text));
      }),
      RUNS,
    );
  });

  it('is taken or refused with 400 whatever bytes it is made of', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1 }), async (bytes) => {
        const { status, code } = await post(Buffer.from(bytes));
        expect([200, 400]).toContain(status);
        expect(['BAD_REQUEST', 'BAD_USER_INPUT', undefined]).toContain(code);
      }),
      RUNS,
    );
  });

  it('is taken or refused with 415 whatever type it claims to have', async () => {
    const printable = fc.string({ unit: 'grapheme-ascii' }).map((text) => text.trim());
    const types = fc.oneof(
      printable,
      printable.map((text) => `application/json; charset=${text}`),
      printable.map((text) => `application/json;${text}`),
    );
    await fc.assert(
      fc.asyncProperty(types, async (type) => {
        fc.pre(type !== '');
        const { status, code } = await post('{}', type);
        expect([200, 415]).toContain(status);
        if (status === 415) expect(code).toBe('UNSUPPORTED_MEDIA_TYPE');
      }),
      RUNS,
    );
  });

  it('touches no prototype', async () => {
    for (const text of [
      '{"__proto__":{"polluted":1}}',
      '{"a":{"__proto__":{"polluted":1}}}',
      '{"constructor":{"prototype":{"polluted":1}}}',
      '{"\\u005f_proto__":{"polluted":1}}',
    ]) {
      expect(await post(text)).toEqual({ status: 400, code: 'BAD_REQUEST' });
    }
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

import type { Socket } from 'node:net';
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen, openHttp } from '../../src/platform/http/index.ts';
import type { Doors } from '../support/doors.ts';
import { openDoors, post, send } from '../support/doors.ts';

// Bytes as no HTTP library would send them.

let doors: Doors;
let key: string;

beforeAll(async () => {
  doors = await openDoors();
  key = doors.memory.addTenant();
});

afterAll(() => doors[Symbol.asyncDispose]());

function connectTo(port: number): Socket {
  const socket = createConnection(port, '127.0.0.1');
  // The server may close while there is more to send.
  socket.on('error', () => undefined);
  return socket;
}

interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly code: string | undefined;
  readonly body: string;
}

/** Reads to the end of the connection. Whatever is answered must be JSON, or nothing for HEAD. */
async function read(socket: Socket): Promise<RawAnswer> {
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n', 2);
  expect(head).toMatch(/^content-type: application\/json; charset=utf-8$/im);
  expect(head + body).not.toMatch(/html|node_modules|\bat \w+ \(|did you mean/i);
  const { errors } = (body === '' ? {} : JSON.parse(body)) as { errors?: [{ extensions: { code: string } }] };
  return { status: Number(head.split(' ')[1]), head, body, code: errors?.[0].extensions.code };
}

function ask(raw: string): Promise<RawAnswer> {
  const socket = connectTo(doors.api.port);
  socket.write(raw);
  return read(socket);
}

/** The head of a request that ends its connection. */
function headOf(line: string, ...headers: string[]): string {
  const all = [`Host: 127.0.0.1:${doors.api.port}`, `Authorization: ${key}`, 'Connection: close', ...headers];
  return `${line} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n`;
}

const postHead = (...headers: string[]) =>
  headOf('POST /graphql', 'Content-Type: application/json', ...headers);

describe('a body without measure is 413, long before it has arrived', () => {
  it('2 GB by its own word: nothing of it is waited for', async () => {
    expect(await ask(postHead('Content-Length: 2147483648'))).toMatchObject({
      status: 413,
      code: 'PAYLOAD_TOO_LARGE',
    });
  });

  it('20 MB', async () => {
    const headers = { 'content-type': 'application/json', authorization: key };
    const body = 'a'.repeat(20_000_000);
    const answer = await send(doors.api.httpUrl, { method: 'POST', headers, body });
    expect(answer).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
  });

  it('chunks without end: a few are taken and then no more', async () => {
    let taken = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        taken += 0x4000;
        controller.enqueue(Buffer.alloc(0x4000, 'a'));
      },
    });
    const headers = { 'content-type': 'application/json', authorization: key };
    const init: RequestInit & { readonly duplex: 'half' } = { method: 'POST', headers, body, duplex: 'half' };
    expect(await send(doors.api.httpUrl, init)).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
    // What the kernel buffers between two processes is in here too.
    expect(taken).toBeLessThan(16_000_000);
  });

  it('a few compressed bytes that stand for gigabytes are 415, and stay compressed', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const socket = connectTo(doors.api.port);
    socket.write(postHead('Content-Encoding: gzip', `Content-Length: ${bomb.length}`));
    socket.write(bomb);
    expect(await read(socket)).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
  });
});

describe('what HTTP does not allow is refused as JSON', () => {
  const handshake = (line: string, ...headers: string[]) =>
    headOf(line).replace(
      'Connection: close\r\n\r\n',
      ['Connection: Upgrade', ...headers, '', ''].join('\r\n'),
    );
  const key16 = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';

  it.each<[what: string, raw: () => string, status: number, code: string]>([
    [
      'a request without a host',
      () => 'GET /graphql HTTP/1.1\r\nConnection: close\r\n\r\n',
      400,
      'BAD_REQUEST',
    ],
    ['a method that nobody knows', () => headOf('BREW /graphql'), 400, 'BAD_REQUEST'],
    ['HTTP/2 without asking', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'BAD_REQUEST'],
    ['two lengths', () => postHead('Content-Length: 5', 'Content-Length: 6'), 400, 'BAD_REQUEST'],
    [
      'a length and chunks',
      () => postHead('Content-Length: 5', 'Transfer-Encoding: chunked'),
      400,
      'BAD_REQUEST',
    ],
    ['a chunk of no size', () => `${postHead('Transfer-Encoding: chunked')}ZZ\r\n`, 400, 'BAD_REQUEST'],
    ['a coding that nobody knows', () => postHead('Transfer-Encoding: gzip'), 400, 'BAD_REQUEST'],
    ['a line break in a header', () => postHead('X-Name: a\rSet-Cookie: b'), 400, 'BAD_REQUEST'],
    [
      '64 KB of headers',
      () => headOf('GET /graphql', `X-Large: ${'a'.repeat(65_536)}`),
      431,
      'HEADERS_TOO_LARGE',
    ],
    [
      'thousands of headers',
      () => headOf('GET /graphql', ...Array.from({ length: 4_000 }, (_, i) => `x${i}: 1`)),
      431,
      'HEADERS_TOO_LARGE',
    ],
    ['an address without end', () => headOf(`GET /${'a'.repeat(20_000)}`), 431, 'HEADERS_TOO_LARGE'],
    ['an address that is not UTF-8', () => headOf('GET /%E0%A4%A'), 400, 'BAD_REQUEST'],
    ['an expectation', () => postHead('Expect: magic', 'Content-Length: 0'), 417, 'EXPECTATION_FAILED'],
    ['a tunnel', () => headOf('CONNECT example.com:443'), 405, 'METHOD_NOT_ALLOWED'],
    ['DELETE', () => headOf('DELETE /graphql'), 405, 'METHOD_NOT_ALLOWED'],
    ['PUT', () => headOf('PUT /graphql', 'Content-Length: 0'), 405, 'METHOD_NOT_ALLOWED'],
    ['TRACE', () => headOf('TRACE /graphql'), 405, 'METHOD_NOT_ALLOWED'],
    ['an upgrade to HTTP/2', () => handshake('GET /graphql', 'Upgrade: h2c'), 400, 'BAD_REQUEST'],
    [
      'a WebSocket without a key',
      () => handshake('GET /graphql', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'),
      400,
      'BAD_REQUEST',
    ],
    [
      'a WebSocket by POST',
      () => handshake('POST /graphql', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', key16),
      400,
      'BAD_REQUEST',
    ],
    [
      'a WebSocket of another version',
      () => handshake('GET /graphql', 'Upgrade: websocket', 'Sec-WebSocket-Version: 7', key16),
      400,
      'BAD_REQUEST',
    ],
  ])('%s', async (_what, raw, status, code) => {
    expect(await ask(raw())).toMatchObject({ status, code });
  });

  it('HEAD, without a body, as HEAD is answered', async () => {
    const { status, head: answered, body } = await ask(headOf('HEAD /graphql'));
    expect({ status, body }).toEqual({ status: 405, body: '' });
    expect(answered).toMatch(/^allow: GET, POST$/im);
  });

  it('a second request smuggled behind a refused one is not looked at', async () => {
    const before = doors.memory.calls.length;
    const second = JSON.stringify({ query: '{ job(id: "1") { id } }' });
    const smuggled = `POST /graphql HTTP/1.1\r\nHost: a\r\nAuthorization: ${key}\r\nContent-Type: application/json\r\nContent-Length: ${second.length}\r\n\r\n${second}`;
    await ask(`${postHead('Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n${smuggled}`);
    expect(doors.memory.calls.length).toBe(before);
    expect((await post(doors.api.httpUrl, key, second)).status).toBe(200);
  });
});

describe('a client that takes its time', () => {
  const timeouts = { headersMs: 100, requestMs: 200, connectionMs: 60_000, checkEveryMs: 10 };

  /** A server that has little patience, and what it says to somebody who sent `start` and then nothing. */
  async function saidTo(start: string): Promise<RawAnswer> {
    const http = openHttp({
      bodyBytesMax: 1_000,
      newRequestId: () => 'req_1',
      logger: pino({ level: 'silent' }),
      timeouts,
    });
    http.post('/', async () => ({}));
    try {
      const socket = connectTo(await listen(http, { host: '127.0.0.1', port: 0 }));
      socket.write(start);
      return await read(socket);
    } finally {
      await http.close();
    }
  }

  it('over its headers is answered 408 and cut off', async () => {
    expect(await saidTo('POST / HTTP/1.1\r\nHost: a\r\nX-')).toMatchObject({
      status: 408,
      code: 'REQUEST_TIMEOUT',
    });
  });

  it('over its body too', async () => {
    const start =
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{';
    expect(await saidTo(start)).toMatchObject({ status: 408, code: 'REQUEST_TIMEOUT' });
  });

  it('has ten seconds for its headers and thirty for all of a request', () => {
    const http = openHttp({
      bodyBytesMax: 1,
      newRequestId: () => 'req_1',
      logger: pino({ level: 'silent' }),
    });
    const { headersTimeout, requestTimeout, timeout, keepAliveTimeout } = http.server;
    expect({ headersTimeout, requestTimeout, timeout, keepAliveTimeout }).toEqual({
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      timeout: 60_000,
      keepAliveTimeout: 15_000,
    });
  });
});

import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { serveMetrics } from './metrics.ts';
import { openHttp } from './open-http.ts';

const BEARER = 'Bearer token-of-the-tests';

interface Asking {
  readonly from: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly token?: string | null;
  readonly path?: string;
}

async function ask({ from, headers = {}, token = 'token-of-the-tests', path = '/metrics' }: Asking) {
  const http = openHttp({ bodyBytesMax: 1, newRequestId: () => 'req_1', logger: pino({ level: 'silent' }) });
  serveMetrics(http, { token, contentType: 'text/plain; version=0.0.4', render: async () => 'up 1\n' });
  const { statusCode, body } = await http.inject({ url: path, remoteAddress: from, headers });
  await http.close();
  return { statusCode, body };
}

const GIVEN = { statusCode: 200, body: 'up 1\n' };

describe('/metrics', () => {
  it.each(['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'])('is for this machine (%s)', async (from) => {
    expect(await ask({ from, token: null })).toEqual(GIVEN);
  });

  it('is for whoever shows the token, from anywhere', async () => {
    expect(await ask({ from: '203.0.113.5', headers: { authorization: BEARER } })).toEqual(GIVEN);
    const proxied = { authorization: BEARER, 'x-forwarded-for': '203.0.113.5' };
    expect(await ask({ from: '127.0.0.1', headers: proxied })).toEqual(GIVEN);
  });

  const REFUSED: readonly (readonly [who: string, asking: Asking])[] = [
    ['another machine', { from: '203.0.113.5' }],
    ['another machine over IPv6', { from: '2001:db8::1' }],
    ['an address that only looks like this machine', { from: '::ffff:7f00:0:1' }],
    ['a wrong token', { from: '203.0.113.5', headers: { authorization: `${BEARER}x` } }],
    [
      'a token where none was set',
      { from: '203.0.113.5', headers: { authorization: 'Bearer null' }, token: null },
    ],
    ['another scheme', { from: '203.0.113.5', headers: { authorization: 'Basic token-of-the-tests' } }],
    [
      'somebody behind a proxy on this machine',
      { from: '127.0.0.1', headers: { 'x-forwarded-for': '127.0.0.1' } },
    ],
    ['somebody behind another proxy', { from: '::1', headers: { forwarded: 'for=203.0.113.5' } }],
  ];

  it.each(REFUSED)('is no address at all to %s', async (_, asking) => {
    const nowhere = await ask({ ...asking, path: '/nothing-here' });

    expect(nowhere.statusCode).toBe(404);
    expect(await ask(asking)).toEqual(nowhere);
  });
});

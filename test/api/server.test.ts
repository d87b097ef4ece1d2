import { Agent, get } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { StartError, systemCodeOf } from '../../src/kernel/errors.ts';
import type { ObjectGrant } from '../../src/platform/http/index.ts';
import { serveObjects } from '../../src/platform/http/index.ts';
import { greet, openDoors, send, subscribe } from '../support/doors.ts';

/** A client that asks again and again on one connection; `left` is what made it stop. */
function askUntilToldToLeave(url: URL) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const begun = Promise.withResolvers<void>();
  const ask = () =>
    new Promise<string | undefined>((resolve, reject) => {
      get(url, { agent }, (response) => {
        begun.resolve();
        response.resume().once('end', () => resolve(response.headers.connection));
      }).once('error', reject);
    });
  const left = (async () => {
    for (;;) {
      const connection = await ask().catch((error: unknown) => systemCodeOf(error) ?? 'failed');
      if (connection !== 'keep-alive') return connection;
    }
  })();
  return { hasBegun: begun.promise, left: left.finally(() => agent.destroy()) };
}

describe('startApi', () => {
  it('says which port is in use and what to do', async () => {
    await using first = await openDoors();
    const second = openDoors({ port: first.api.port });
    await expect(second).rejects.toBeInstanceOf(StartError);
    await expect(second).rejects.toThrow(new RegExp(`Port ${first.api.port} .* in use.*--port`, 's'));
  });

  it('says goodbye with 1001, ends its streams and stops listening', async () => {
    const doors = await openDoors();
    const key = doors.memory.addTenant();
    const client = await greet(doors.api.wsUrl, key);
    const { id: jobId } = doors.memory.addJob(key);
    subscribe(client, 'subscription ($jobId: ID!) { jobEvents(jobId: $jobId, after: 1) { type } }', {
      jobId,
    });
    await expect.poll(() => doors.memory.following).toBe(1);
    await doors[Symbol.asyncDispose]();
    expect(await client.closed).toBe(1001);
    expect(doors.memory.following).toBe(0);
    await expect(fetch(doors.api.httpUrl)).rejects.toThrow('fetch failed');
  });

  it('tells busy clients to leave before it closes their connections, so that none is cut off', async () => {
    const doors = await openDoors();
    const url = new URL('/healthz', doors.api.httpUrl);
    const clients = Array.from({ length: 30 }, () => askUntilToldToLeave(url));
    await Promise.all(clients.map(({ hasBegun }) => hasBegun));
    await doors[Symbol.asyncDispose]();
    expect(await Promise.all(clients.map(({ left }) => left))).toEqual(clients.map(() => 'close'));
  });

  it('answers whether it lives and whether it can serve', async () => {
    let missing: readonly string[] = ['database'];
    await using doors = await openDoors({ readiness: async () => missing });
    const at = (path: string) => send(new URL(path, doors.api.httpUrl).href, {});
    expect(await at('/healthz')).toMatchObject({ status: 200 });
    const unready = await at('/readyz');
    expect(unready.status).toBe(503);
    expect(JSON.parse(unready.text)).toEqual({ status: 'unavailable', missing: ['database'] });
    missing = [];
    expect(await at('/readyz')).toMatchObject({ status: 200 });
  });

  it('is not ready when that cannot be found out', async () => {
    await using doors = await openDoors({ readiness: () => Promise.reject(new Error('no')) });
    expect(await send(new URL('/readyz', doors.api.httpUrl).href, {})).toMatchObject({ status: 503 });
  });

  it('shows the schema when it is told to', async () => {
    await using doors = await openDoors({ introspection: true });
    const client = await greet(doors.api.wsUrl, doors.memory.addTenant());
    subscribe(client, 'subscription { jobEvents(jobId: "1") { __typename } }');
    const body = JSON.stringify({ query: '{ __schema { queryType { name } } }' });
    const headers = { 'content-type': 'application/json', authorization: doors.memory.addTenant() };
    const { data } = await send(doors.api.httpUrl, { method: 'POST', headers, body });
    expect(data).toEqual({ __schema: { queryType: { name: 'Query' } } });
  });
});

describe('the objects route', () => {
  const grant: ObjectGrant = { key: 'a.png', disposition: 'inline', filename: 'img_1.png' };
  const opened: Readable[] = [];
  const open = () =>
    openDoors({
      routes: (http) =>
        serveObjects(http, {
          path: '/objects/',
          nowMs: () => 100_500,
          verify: (path) => (path.endsWith('&signature=good') ? { ...grant, key: path.slice(9, 14) } : null),
          async open(key) {
            if (key !== 'a.png') return null;
            const stream = Readable.from([Buffer.from('pixels')]);
            opened.push(stream);
            return { stream, size: 6, contentType: 'image/png' };
          },
        }),
    });

  it('serves a signed link for as long as it holds, without a key', async () => {
    await using doors = await open();
    const url = new URL('/objects/a.png?expires=160&signature=good', doors.api.httpUrl);
    const response = await fetch(url);
    expect(await response.text()).toBe('pixels');
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'image/png',
      'content-length': '6',
      'x-content-type-options': 'nosniff',
      'content-disposition': 'inline; filename="img_1.png"',
      'cache-control': 'private, max-age=59, immutable',
      'cross-origin-resource-policy': 'cross-origin',
    });
  });

  it('answers HEAD without reading the object', async () => {
    await using doors = await open();
    const url = new URL('/objects/a.png?expires=160&signature=good', doors.api.httpUrl);
    const response = await fetch(url, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '6']);
    expect(opened.at(-1)?.destroyed).toBe(true);
  });

  it('refuses a link that is not valid with 403 and one to nothing with 404, as JSON', async () => {
    await using doors = await open();
    const at = (path: string) => send(new URL(path, doors.api.httpUrl).href, {});
    expect(await at('/objects/a.png?expires=160&signature=bad')).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
    });
    expect(await at('/objects/b.png?expires=160&signature=good')).toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
    });
  });
});

import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/kernel/clock.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { StartError } from '../../src/kernel/errors.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { ObjectStore, S3Settings } from '../../src/platform/objects/index.ts';
import { openS3Store } from '../../src/platform/objects/s3-store.ts';
import { findFreePort } from '../../src/platform/process/ports.ts';
import type { S3Fault } from '../support/s3-proxy.ts';
import { startS3Proxy } from '../support/s3-proxy.ts';
import type { S3Server } from '../support/s3-server.ts';
import { isS3Skipped, startS3Server } from '../support/s3-server.ts';

const png = { contentType: 'image/png', ifNoneMatch: true } as const;
const open = (settings: S3Settings, clock: Clock = systemClock) =>
  openS3Store({ settings, clock, random: systemRandom, requestTimeoutMs: 2_000 });

describe.skipIf(isS3Skipped)('an S3 server', () => {
  const stack = new AsyncDisposableStack();
  let server: S3Server;
  beforeAll(async () => {
    server = stack.use(await startS3Server());
  });
  afterAll(() => stack.disposeAsync());

  describe('links', () => {
    const bytes = systemRandom.bytes(1_000);
    let store: ObjectStore;
    let settings: S3Settings;
    beforeAll(async () => {
      settings = await server.createBucket();
      store = stack.use(await open(settings));
      await store.put('ten/a.png', bytes, png);
      await store.put('ten/b.png', bytes, png);
    });

    const inMs = (ms: number) => new Date(systemClock.nowMs() + ms);
    const sign = (expiresAt = inMs(300_000)) =>
      store.signGet('ten/a.png', { expiresAt, disposition: 'attachment', filename: 'img_1.png' });

    it('give whoever has one the picture: its bytes, length, type, and the name to save it under', async () => {
      const url = await sign();
      expect(url.startsWith(`${settings.endpoint}/${settings.bucket}/ten/a.png?`)).toBe(true);
      const answer = await fetch(url);
      expect(answer.status).toBe(200);
      expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
      expect(answer.headers.get('content-length')).toBe('1000');
      expect(answer.headers.get('content-type')).toBe('image/png');
      expect(answer.headers.get('content-disposition')).toBe('attachment; filename="img_1.png"');
      expect(answer.headers.get('cache-control')).toMatch(/^private, max-age=(299|300), immutable$/);
    });

    it('give a part of it when a part is asked for', async () => {
      const answer = await fetch(await sign(), { headers: { range: 'bytes=10-19' } });
      expect(answer.status).toBe(206);
      expect(Buffer.from(await answer.arrayBuffer()).equals(bytes.subarray(10, 20))).toBe(true);
    });

    it.each(['HEAD', 'PUT', 'DELETE'])('are of no use to %s', async (method) => {
      const answer = await fetch(await sign(), { method });
      expect(answer.status).toBe(403);
      expect(await store.head('ten/a.png')).toMatchObject({ size: 1_000 });
    });

    const alterations: Readonly<Record<string, (url: string) => string>> = {
      'another key': (url) => url.replace('/a.png', '/b.png'),
      'another signature': (url) => url.replace(/(Signature=)(.)/, (_, name, digit) => name + next(digit)),
      'no signature': (url) => url.replace(/&X-Amz-Signature=[^&]*/, ''),
      'a later end': (url) => url.replace(/(X-Amz-Expires=)\d+/, '$1600000'),
      'a later beginning': (url) => url.replace(/(X-Amz-Date=)\d{4}/, '$12999'),
      'another file name': (url) => url.replace('img_1.png', 'img_1.html'),
      'another disposition': (url) => url.replace('attachment', 'inline'),
      'no disposition': (url) => url.replace(/response-content-disposition=[^&]*&/, ''),
      'another type': (url) => `${url}&response-content-type=text%2Fhtml`,
    };
    const next = (digit: string) => (digit === 'f' ? '0' : 'f');
    it.each(Object.keys(alterations))('with %s are refused', async (name) => {
      const url = await sign();
      const altered = alterations[name]?.(url) ?? url;
      expect(altered).not.toBe(url);
      expect([400, 403]).toContain((await fetch(altered)).status);
    });

    it('end when they say', async () => {
      const hourAgo: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() - 3_600_000 };
      await using past = await open(settings, hourAgo);
      const terms = { expiresAt: new Date(hourAgo.nowMs() + 300_000), disposition: 'inline' } as const;
      expect((await fetch(await past.signGet('ten/a.png', terms))).status).toBe(403);
      const longer = { ...terms, expiresAt: inMs(60_000) };
      expect((await fetch(await past.signGet('ten/a.png', longer))).status).toBe(200);
    });

    it('lead nowhere for what is not there, and nobody gets in without one', async () => {
      const url = await store.signGet('ten/c.png', { expiresAt: inMs(60_000), disposition: 'inline' });
      expect((await fetch(url)).status).toBe(404);
      expect((await fetch(`${settings.endpoint}/${settings.bucket}/ten/a.png`)).status).toBe(403);
    });

    it('take the name only if a header can carry it', async () => {
      for (const filename of ['a"b', 'a b', '.a', 'a\n', '']) {
        const terms = { expiresAt: inMs(60_000), disposition: 'inline', filename } as const;
        await expect(store.signGet('ten/a.png', terms)).rejects.toMatchObject({ code: 'INVALID_KEY' });
      }
    });
  });

  describe('over a bad wire', () => {
    const bytes = systemRandom.bytes(300_000);

    async function openOverProxy() {
      await using parts = new AsyncDisposableStack();
      const proxy = parts.use(await startS3Proxy(server.port));
      const settings = await server.createBucket();
      const store = parts.use(await open({ ...settings, endpoint: proxy.endpoint }));
      const direct = parts.use(await open(settings));
      const owned = parts.move();
      return { proxy, store, direct, [Symbol.asyncDispose]: () => owned.disposeAsync() };
    }

    it.each<S3Fault>(['slow-down', 'cut-request', 'hang'])(
      'survives %s by asking again, and shows nobody half an object',
      async (fault) => {
        await using wire = await openOverProxy();
        wire.proxy.faults.push(fault, fault);
        expect(await wire.store.put('a', bytes, png)).toMatchObject({ size: bytes.length });
        expect(
          wire.proxy.requests.filter((each) => each.startsWith('PUT') && each.endsWith('/a')),
        ).toHaveLength(3);
        const opened = await wire.direct.open('a');
        expect(opened && (await buffer(opened.stream)).equals(bytes)).toBe(true);
      },
    );

    it.each<S3Fault>(['slow-down', 'cut-request'])(
      'tells %s that does not end as UNAVAILABLE, for somebody with more patience, and leaves nothing',
      async (fault) => {
        await using wire = await openOverProxy();
        wire.proxy.always = fault;
        const unavailable = { code: 'UNAVAILABLE', retryable: true };
        await expect(wire.store.put('a', bytes, png)).rejects.toMatchObject(unavailable);
        await expect(wire.store.head('a')).rejects.toMatchObject(unavailable);
        await expect(wire.store.open('a')).rejects.toMatchObject(unavailable);
        await expect(Array.fromAsync(wire.store.list(''))).rejects.toMatchObject(unavailable);
        expect(await wire.direct.head('a')).toBeNull();
      },
    );

    it('finds the object there when the answer to a write was lost', async () => {
      await using wire = await openOverProxy();
      wire.proxy.faults.push('lose-answer');
      await expect(wire.store.put('a', bytes, png)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
      expect(await wire.store.head('a')).toMatchObject({ size: bytes.length });
    });

    it('keeps nothing that was damaged on the way, and may be asked again', async () => {
      await using wire = await openOverProxy();
      wire.proxy.faults.push('damage');
      const refused = { code: 'UNAVAILABLE', retryable: true };
      await expect(wire.store.put('a', bytes, png)).rejects.toMatchObject(refused);
      expect(await wire.direct.head('a')).toBeNull();
      await wire.store.put('a', bytes, png);
    });

    it('takes an answer that tells another checksum for a failure', async () => {
      await using wire = await openOverProxy();
      wire.proxy.faults.push('other-checksum');
      const refused = { code: 'UNAVAILABLE', retryable: true };
      await expect(wire.store.put('a', bytes, png)).rejects.toMatchObject(refused);
    });

    it('fails a read whose answer breaks off, instead of ending it early', async () => {
      await using wire = await openOverProxy();
      await wire.store.put('a', bytes, png);
      wire.proxy.faults.push('cut-answer');
      const opened = await wire.store.open('a');
      await expect(opened && buffer(opened.stream)).rejects.toThrow();
    });

    it('keeps the first object on a server without conditions, too', async () => {
      await using proxy = await startS3Proxy(server.port);
      proxy.always = 'no-conditions';
      const settings = await server.createBucket();
      await using store = await open({ ...settings, endpoint: proxy.endpoint });
      await store.put('a', bytes, png);
      await expect(store.put('a', systemRandom.bytes(3), png)).rejects.toMatchObject({
        code: 'ALREADY_EXISTS',
      });
      expect(await store.head('a')).toMatchObject({ size: bytes.length });
    });
  });

  describe('at start', () => {
    const refusal = async (settings: S3Settings): Promise<string> => {
      const error: unknown = await open(settings).then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(StartError);
      return (error as StartError).message;
    };

    it('leaves nothing of its probe behind', async () => {
      await using store = await open(await server.createBucket());
      expect(await Array.fromAsync(store.list(''))).toEqual([]);
    });

    it('says which settings to look at, and never what a secret is', async () => {
      const settings = await server.createBucket();
      const port = await findFreePort();
      const nobody = await refusal({ ...settings, endpoint: `http://127.0.0.1:${port}` });
      expect(nobody).toMatch(/bucket "test-\d+" at 127\.0\.0\.1:\d+: it does not answer \(ECONNREFUSED\)/);
      expect(await refusal({ ...settings, bucket: 'test-missing' })).toContain('S3_BUCKET');
      const wrong = { ...settings, secretAccessKey: 'not-the-secret' };
      const forged = await refusal(wrong);
      expect(forged).toMatch(
        /it answers SignatureDoesNotMatch\. Check S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY/,
      );
      expect(forged).not.toContain('not-the-secret');
      expect(await refusal({ ...settings, bucket: 'another-ones' })).toContain('may get, put and delete');
    });
  });
});

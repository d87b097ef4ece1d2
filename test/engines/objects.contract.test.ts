import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { ObjectStore, PutOptions } from '../../src/platform/objects/index.ts';
import { openS3Store } from '../../src/platform/objects/s3-store.ts';
import { openFolderStore } from '../support/folder-store.ts';
import { isS3Skipped, startS3Server } from '../support/s3-server.ts';

interface Store {
  readonly name: string;
  /** An empty store. */
  open(stack: AsyncDisposableStack): Promise<ObjectStore>;
}

const stores: readonly Store[] = [
  {
    name: 'local folder',
    open: async (stack) => (await openFolderStore(stack)).store,
  },
  {
    name: 'S3',
    async open(stack) {
      const server = stack.use(await startS3Server());
      return openS3Store({ settings: await server.createBucket(), clock: systemClock, random: systemRandom });
    },
  },
];

const png: PutOptions = { contentType: 'image/png', ifNoneMatch: true };
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const inDays = (count: number) => new Date(systemClock.nowMs() + count * 24 * 60 * 60 * 1000);
const textOf = (text: string) => new TextEncoder().encode(text);

describe.each(isS3Skipped ? stores.slice(0, 1) : stores)('an object store: $name', ({ open }) => {
  const stack = new AsyncDisposableStack();
  let store: ObjectStore;
  beforeAll(async () => {
    store = stack.use(await open(stack));
  });
  afterAll(() => stack.disposeAsync());

  const keysUnder = async (prefix: string) =>
    (await Array.fromAsync(store.list(prefix))).map(({ key }) => key).toSorted();

  it('gives back what was put: bytes, type, size and digest', async () => {
    for (const size of [0, 1, 119, 120, 121, 300_000]) {
      const bytes = systemRandom.bytes(size);
      const stored = await store.put(`roundtrip/${size}.png`, bytes, png);
      expect(stored).toEqual({ size, sha256: sha256(bytes) });
      const opened = await store.open(`roundtrip/${size}.png`);
      expect(opened).toMatchObject({ ...stored, contentType: 'image/png' });
      expect(opened && Buffer.compare(await buffer(opened.stream), bytes)).toBe(0);
      expect(await store.head(`roundtrip/${size}.png`)).toEqual({ ...stored, contentType: 'image/png' });
    }
  });

  it('keeps the first object when the key is taken', async () => {
    await store.put('taken', textOf('first'), png);
    await expect(store.put('taken', textOf('second'), png)).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      retryable: false,
    });
    const opened = await store.open('taken');
    expect(opened && (await buffer(opened.stream)).toString()).toBe('first');
  });

  it('lets exactly one of many writers of a key win', async () => {
    for (let round = 0; round < 5; round++) {
      const bodies = Array.from({ length: 8 }, (_, writer) => systemRandom.bytes(2_000 + writer));
      const results = await Promise.allSettled(bodies.map((body) => store.put(`race/${round}`, body, png)));
      const winners = bodies.filter((_, writer) => results[writer]?.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      const opened = await store.open(`race/${round}`);
      expect(opened && (await buffer(opened.stream))).toEqual(Buffer.from(winners[0] ?? []));
    }
  });

  it('never shows a reader half an object', async () => {
    const bytes = systemRandom.bytes(8_000_000);
    const writing = { isDone: false };
    const written = store.put('large', bytes, png).finally(() => {
      writing.isDone = true;
    });
    const seen = new Set<string>();
    while (!writing.isDone) {
      const opened = await store.open('large');
      seen.add(opened === null ? 'nothing' : sha256(await buffer(opened.stream)));
      expect(await keysUnder('large')).toEqual(opened === null ? expect.any(Array) : ['large']);
    }
    await written;
    expect([...seen].filter((each) => each !== 'nothing' && each !== sha256(bytes))).toEqual([]);
    expect(seen).toContain('nothing');
  });

  it('answers null for what is not there', async () => {
    await store.put('present/child', textOf('x'), png);
    for (const key of ['absent', 'absent/child', 'present', 'present/child/grandchild']) {
      expect(await store.open(key)).toBeNull();
      expect(await store.head(key)).toBeNull();
    }
  });

  it('deletes, and deletes again without complaint; the key is then free', async () => {
    await store.put('gone/deep/key', textOf('1'), png);
    await store.delete('gone/deep/key');
    await store.delete('gone/deep/key');
    await store.delete('never/was');
    expect(await store.head('gone/deep/key')).toBeNull();
    await store.put('gone/deep/key', textOf('22'), png);
    expect(await store.head('gone/deep/key')).toMatchObject({ size: 2 });
  });

  it('loses no object to deletes in the same folder', async () => {
    const worker = async (_: unknown, index: number) => {
      for (let round = 0; round < 40; round++) {
        await store.put(`churn/folder/${index}`, textOf('x'), png);
        expect(await keysUnder('churn/')).toContain(`churn/folder/${index}`);
        await store.delete(`churn/folder/${index}`);
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(await keysUnder('churn/')).toEqual([]);
  });

  it('lists by prefix, with sizes and times', async () => {
    const keys = ['list/b', 'list/a/2', 'list/a-1', 'list/a.png', 'list/ab', 'list/a/10', 'lists'];
    for (const [index, key] of keys.entries()) await store.put(key, systemRandom.bytes(index), png);
    expect(await keysUnder('list')).toEqual(keys.toSorted());
    expect(await keysUnder('list/a')).toEqual(keys.filter((key) => key.startsWith('list/a')).toSorted());
    expect(await keysUnder('list/a/')).toEqual(['list/a/10', 'list/a/2']);
    expect(await keysUnder('list/nothing/here')).toEqual([]);
    const [listed] = await Array.fromAsync(store.list('list/ab'));
    expect(listed).toMatchObject({ key: 'list/ab', size: keys.indexOf('list/ab') });
    expect(Math.abs(systemClock.nowMs() - (listed?.modifiedAt.getTime() ?? 0))).toBeLessThan(60_000);
  });

  const badKeys = [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    '../a',
    'a/../b',
    'a/..',
    './a',
    'a/./b',
    'a\\b',
    'a\0b',
    'a b',
    'a%2e%2e',
    'a?b',
    'a#b',
    'é',
    '鍵',
    'a\u202eb',
    'a\n',
    'a@',
    '+incoming',
    'a'.repeat(201),
    Array.from({ length: 257 }, () => 'a').join('/'),
  ];
  it.each(badKeys)('refuses %j as a key before touching anything', async (key) => {
    const refused = { code: 'INVALID_KEY', retryable: false };
    await expect(store.put(key, textOf('x'), png)).rejects.toMatchObject(refused);
    await expect(store.open(key)).rejects.toMatchObject(refused);
    await expect(store.head(key)).rejects.toMatchObject(refused);
    await expect(store.delete(key)).rejects.toMatchObject(refused);
    const expiresAt = new Date(systemClock.nowMs() + 60_000);
    await expect(store.signGet(key, { expiresAt, disposition: 'inline' })).rejects.toMatchObject(refused);
  });

  it('takes every key of the stated form', async () => {
    const segment = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,30}$/);
    const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'));
    let tries = 0;
    await fc.assert(
      fc.asyncProperty(path, async (each) => {
        const key = `any/${++tries}/${each}`;
        await store.put(key, textOf(each), png);
        const opened = await store.open(key);
        expect(opened && (await buffer(opened.stream)).toString()).toBe(each);
        await store.delete(key);
      }),
      { numRuns: 30 },
    );
  });

  it('refuses a prefix that no key could start with', async () => {
    for (const prefix of ['/', '../', 'a//', 'a/../', 'é']) {
      await expect(Array.fromAsync(store.list(prefix))).rejects.toMatchObject({ code: 'INVALID_KEY' });
    }
  });

  it('refuses a content type that is none', async () => {
    for (const contentType of ['', 'a\nb', 'é', 'x'.repeat(81)]) {
      const options: PutOptions = { contentType, ifNoneMatch: true };
      await expect(store.put('typed', textOf('x'), options)).rejects.toMatchObject({ code: 'INVALID_KEY' });
    }
    expect(await store.head('typed')).toBeNull();
  });

  it('signs URLs for at most seven days', async () => {
    const url = await store.signGet('a', { expiresAt: inDays(6.9), disposition: 'inline' });
    expect(URL.canParse(url)).toBe(true);
    for (const expiresAt of [inDays(7.1), new Date(Number.NaN), new Date(8.64e15)]) {
      await expect(store.signGet('a', { expiresAt, disposition: 'inline' })).rejects.toThrow(RangeError);
    }
  });
});

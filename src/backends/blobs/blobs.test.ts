import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BlobError } from '../../dispatcher/blobs.ts';
import type { Clock } from '../../kernel/clock.ts';
import { systemClock } from '../../kernel/clock.ts';
import { systemRandom } from '../../kernel/random.ts';
import type { ObjectStore } from '../../platform/objects/index.ts';
import { ObjectError, openLocalStore } from '../../platform/objects/index.ts';
import { createBlobs, createImageLinks } from './index.ts';

/** Sleeps in no time, and counts what was slept. */
function quickClock(): Clock {
  let now = 0;
  return {
    ...systemClock,
    monotonicMs: () => now,
    async sleep(delayMs, signal) {
      signal?.throwIfAborted();
      now += delayMs;
    },
  };
}

const png = { contentType: 'image/png', signal: new AbortController().signal };
const bytes = new Uint8Array([1, 2, 3]);

async function openObjects() {
  const directory = await mkdtemp(join(tmpdir(), 'darkroom-blobs-'));
  const store = await openLocalStore({
    directory,
    baseUrl: () => 'https://pictures.example.com',
    signingKey: new Uint8Array(32),
    clock: systemClock,
    random: systemRandom,
  });
  return Object.assign(store, {
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  });
}

/** The store, failing its next `count` puts: before they are made, or after, as a lost answer does. */
function failing(
  objects: ObjectStore,
  count: number,
  when: 'before' | 'after',
): Pick<ObjectStore, 'put' | 'head'> {
  let left = count;
  return {
    head: (key) => objects.head(key),
    async put(key, content, options) {
      const isFailing = left-- > 0;
      if (isFailing && when === 'before') throw new ObjectError('UNAVAILABLE', 'down');
      const stored = await objects.put(key, content, options);
      if (isFailing) throw new ObjectError('UNAVAILABLE', 'answer lost');
      return stored;
    },
  };
}

const blobsOver = (objects: Pick<ObjectStore, 'put' | 'head'>, clock = quickClock()) =>
  createBlobs({ objects, clock, random: systemRandom });

describe('blobs', () => {
  it('may be put again with the same bytes, and never with others', async () => {
    await using objects = await openObjects();
    const blobs = blobsOver(objects);
    await blobs.put('a', bytes, png);
    await blobs.put('a', bytes, png);
    await expect(blobs.put('a', new Uint8Array([4]), png)).rejects.toThrow(BlobError);
    expect(await objects.head('a')).toMatchObject({ size: 3 });
  });

  it('survive a store that is down for a moment, and an answer that is lost', async () => {
    await using objects = await openObjects();
    await blobsOver(failing(objects, 5, 'before')).put('a', bytes, png);
    await blobsOver(failing(objects, 1, 'after')).put('b', bytes, png);
    expect(await objects.head('a')).toMatchObject({ size: 3 });
    expect(await objects.head('b')).toMatchObject({ size: 3 });
  });

  it('wait for a store for five minutes, and not for ever', async () => {
    await using objects = await openObjects();
    const clock = quickClock();
    await blobsOver(failing(objects, 60, 'before'), clock).put('a', bytes, png);
    expect(clock.monotonicMs()).toBeGreaterThan(120_000);
    const down = blobsOver(failing(objects, 9_999, 'before'), clock).put('b', bytes, png);
    await expect(down).rejects.toThrow(BlobError);
    expect(clock.monotonicMs()).toBeLessThan(120_000 + 2 * 310_000);
  });

  it('wait no longer once nobody does', async () => {
    await using objects = await openObjects();
    const stop = new AbortController();
    const slow = failing(objects, 9_999, 'before');
    const stopping: Pick<ObjectStore, 'put' | 'head'> = {
      ...slow,
      put(...call) {
        stop.abort();
        return slow.put(...call);
      },
    };
    const clock = quickClock();
    const put = blobsOver(stopping, clock).put('a', bytes, { ...png, signal: stop.signal });
    await expect(put).rejects.toThrow(BlobError);
    expect(clock.monotonicMs()).toBe(0);
  });

  it('give up at once on a key that is none', async () => {
    await using objects = await openObjects();
    await expect(blobsOver(objects).put('../a', bytes, png)).rejects.toThrow(BlobError);
  });
});

describe('image links', () => {
  it('grant the one picture as a download under its name, for five minutes', async () => {
    await using objects = await openObjects();
    const links = createImageLinks({ objects, clock: systemClock });
    const { url, expiresAt } = await links.link('ten/a.png', { filename: 'img_1.png' });
    const { pathname, search } = new URL(url);
    expect(objects.verifySignedPath(pathname + search)).toEqual({
      key: 'ten/a.png',
      disposition: 'attachment',
      filename: 'img_1.png',
    });
    const livesMs = expiresAt.getTime() - systemClock.nowMs();
    expect(livesMs).toBeGreaterThan(298_000);
    expect(livesMs).toBeLessThanOrEqual(300_000);
  });
});

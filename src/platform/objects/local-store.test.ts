import { mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { StartError } from '../../kernel/errors.ts';
import { systemRandom } from '../../kernel/random.ts';
import { openLocalStore } from './index.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

async function makeFolder() {
  const path = await mkdtemp(join(tmpdir(), 'darkroom-store-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

const openIn = (directory: string, baseUrl = 'http://127.0.0.1:1') =>
  openLocalStore({
    directory,
    baseUrl: () => baseUrl,
    signingKey: new Uint8Array(32).fill(1),
    clock: systemClock,
    random: systemRandom,
  });

const png = { contentType: 'image/png', ifNoneMatch: true } as const;

describe('the local store', () => {
  it('sweeps what dead writers left more than a day ago, and only that', async () => {
    await using folder = await makeFolder();
    await openIn(folder.path);
    const incoming = join(folder.path, '+incoming');
    for (const [name, ageMs] of [
      ['old', DAY_MS + 60_000],
      ['young', DAY_MS - 60_000],
    ] as const) {
      await writeFile(join(incoming, name), 'x');
      const time = new Date(systemClock.nowMs() - ageMs);
      await utimes(join(incoming, name), time, time);
    }
    await openIn(folder.path);
    expect(await readdir(incoming)).toEqual(['young']);
  });

  it('leaves no temporary file behind, whether a write wins or loses', async () => {
    await using folder = await makeFolder();
    const store = await openIn(folder.path);
    await store.put('a', new Uint8Array(10), png);
    await expect(store.put('a', new Uint8Array(10), png)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    expect(await readdir(join(folder.path, '+incoming'))).toEqual([]);
  });

  it('keeps a file that starts with the very bytes, so that a viewer can show it', async () => {
    await using folder = await makeFolder();
    const store = await openIn(folder.path);
    const bytes = systemRandom.bytes(1_000);
    await store.put('ten/a.png', bytes, png);
    const file = await readFile(join(folder.path, 'ten@', 'a.png'));
    expect(file.subarray(0, 1_000)).toEqual(Buffer.from(bytes));
  });

  it('says that a cut-off file is damaged instead of serving it', async () => {
    await using folder = await makeFolder();
    const store = await openIn(folder.path);
    await store.put('a', systemRandom.bytes(1_000), png);
    for (const size of [1_119, 500, 0]) {
      await truncate(join(folder.path, 'a'), size);
      const damaged = { code: 'UNAVAILABLE', retryable: false, message: expect.stringContaining('damaged') };
      await expect(store.open('a')).rejects.toMatchObject(damaged);
      await expect(store.head('a')).rejects.toMatchObject(damaged);
    }
  });

  it('removes the folders that a delete leaves empty', async () => {
    await using folder = await makeFolder();
    const store = await openIn(folder.path);
    await store.put('a/b/c', new Uint8Array(1), png);
    await store.put('a/d', new Uint8Array(1), png);
    await store.delete('a/b/c');
    expect(await readdir(join(folder.path, 'a@'))).toEqual(['d']);
    await store.delete('a/d');
    expect(await readdir(folder.path)).toEqual(['+incoming']);
  });

  it('holds a key and longer ones below it side by side', async () => {
    await using folder = await makeFolder();
    const store = await openIn(folder.path);
    const keys = async () => (await Array.fromAsync(store.list(''))).map(({ key }) => key);
    await store.put('a/b/c', new Uint8Array(3), png);
    await store.put('a/b', new Uint8Array(2), png);
    await store.put('a', new Uint8Array(1), png);
    expect(await keys()).toEqual(['a', 'a/b', 'a/b/c']);
    await store.delete('a');
    expect(await keys()).toEqual(['a/b', 'a/b/c']);
  });

  it('refuses to start, and says what to do, where it cannot write', async () => {
    await using folder = await makeFolder();
    await writeFile(join(folder.path, 'file'), '');
    const opening = openIn(join(folder.path, 'file', 'objects'));
    await expect(opening).rejects.toThrow(StartError);
    await expect(opening).rejects.toThrow(/cannot be stored in .*file.*objects.*choose another/);
  });

  it('shares its folder among processes: what one opened later stores, the other sees', async () => {
    await using folder = await makeFolder();
    const [first, second] = [await openIn(folder.path), await openIn(folder.path)];
    await first.put('a', new Uint8Array(3), png);
    expect(await second.head('a')).toMatchObject({ size: 3 });
    await expect(second.put('a', new Uint8Array(3), png)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  it('verifies the links that it signs, with the address in front that holds at that moment', async () => {
    await using folder = await makeFolder();
    const store = await openIn(folder.path, 'https://pictures.example.com');
    const expiresAt = new Date(systemClock.nowMs() + 60_000);
    const url = await store.signGet('ten/a.png', { expiresAt, disposition: 'attachment', filename: 'a.png' });
    expect(url).toMatch(/^https:\/\/pictures\.example\.com\/objects\/ten\/a\.png\?expires=\d+&/);
    const path = url.slice('https://pictures.example.com'.length);
    expect(store.verifySignedPath(path)).toEqual({
      key: 'ten/a.png',
      disposition: 'attachment',
      filename: 'a.png',
    });
    expect(store.verifySignedPath(path, 'PUT')).toBeNull();
  });
});

import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { StartError } from '../kernel/errors.ts';
import { systemRandom } from '../kernel/random.ts';
import type { DataFolder } from './data-folder.ts';
import { openDataFolder } from './data-folder.ts';
import { readRunFile, takeFolder, writeRunFile } from './run-file.ts';

const database = { app: 'a', auth: 'b', dispatcher: 'c', system: 'd', listen: 'e' };
// The number of a process that lives, as that of a killed one may be by the time somebody looks.
const content = { pid: process.pid, secret: 'a secret', database, adminUrl: 'f', node: 'grpc://g:1' };

let folder: DataFolder;

beforeEach(async () => {
  folder = await openDataFolder(await mkdtemp(join(tmpdir(), 'darkroom-run-file-')), systemRandom);
});

afterEach(() => rm(folder.path, { recursive: true, force: true }));

it('tells how to reach what runs on the folder, to its owner alone, and is gone afterwards', async () => {
  await using _ = await takeFolder(folder);
  {
    await using _written = await writeRunFile(folder, content);
    expect(await readRunFile(folder.path)).toEqual(content);
    const { mode } = await stat(folder.at('run.json'));
    expect(mode & 0o777).toBe(0o600);
  }
  await expect(readRunFile(folder.path)).rejects.toThrow(StartError);
  expect(await readdir(folder.path)).toEqual([]);
});

it('gives the folder to one process at a time', async () => {
  await using taken = await takeFolder(folder);

  expect(taken).not.toBeNull();
  expect(await takeFolder(folder)).toBeNull();
});

it('believes nothing that a killed process left, whoever has its number now', async () => {
  await writeRunFile(folder, content);

  await expect(readRunFile(folder.path)).rejects.toThrow(/^No platform runs on /);
  await using taken = await takeFolder(folder);
  expect(taken).not.toBeNull();
  // Not even now that somebody has the folder: the file is not from that process.
  await expect(readRunFile(folder.path)).rejects.toThrow(/^No platform runs on /);
});

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runChild } from './child.mjs';
import { holdLock } from './lock.mjs';

const LOCK = new URL('./lock.mjs', import.meta.url).href;

const nobodyWaits = () => expect.unreachable('the lock should have been free');

describe('the bootstrap lock', () => {
  let folder: string;
  // A turn is to make a file that must not be there, and to remove it: it fails when two have it.
  const contender = (what: 'holdForever' | 'takeTurns') => [
    '--input-type=module',
    '--eval',
    `import { rmSync, writeFileSync } from 'node:fs';
     import { holdLock } from ${JSON.stringify(LOCK)};
     const holdForever = () => holdLock(${JSON.stringify(folder)}, () => {});
     const takeTurns = async () => {
       for (let turn = 0; turn < 20; turn += 1) {
         const lock = await holdForever();
         writeFileSync(${JSON.stringify(`${folder}/inside`)}, '', { flag: 'wx' });
         rmSync(${JSON.stringify(`${folder}/inside`)});
         lock.release();
       }
     };
     await ${what}();`,
  ];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'darkroom-lock-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is held by one at a time, and the one who waits learns who holds it', async () => {
    const first = await holdLock(folder, nobodyWaits);
    const told: number[] = [];
    let second: { release(): void } | undefined;
    await new Promise<void>((resolve) => {
      void holdLock(folder, (pid) => {
        told.push(pid);
        expect(second).toBeUndefined();
        first.release();
      }).then((lock) => {
        second = lock;
        resolve();
      });
    });
    expect(told).toEqual([process.pid]);
    second?.release();
  });

  it('is taken from a process that has ended', async () => {
    const ended = await runChild(process.execPath, contender('holdForever'), { stdio: 'inherit' });
    expect(ended.code).toBe(0);
    const mine = await holdLock(folder, nobodyWaits);
    mine.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('never has two holders when many processes break the same dead lock at once', async () => {
    await runChild(process.execPath, contender('holdForever'), { stdio: 'inherit' });
    const contend = () => runChild(process.execPath, contender('takeTurns'), { stdio: 'inherit' });
    const ended = await Promise.all(Array.from({ length: 4 }, contend));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  });

  it('leaves nothing behind when it is released', async () => {
    const lock = await holdLock(folder, nobodyWaits);
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });
});

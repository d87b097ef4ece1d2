import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 200;

/**
 * Waits until this process alone prepares the clone; `onWait` is called once with the other's
 * process id if there is one. A lock whose process has ended is broken.
 *
 * The lock is a folder that holds one file, named after its owner. It is taken by moving such a
 * folder into place, which fails unless nothing or an empty folder is there, and freed or broken by
 * removing that one file. So it never has two owners, and a late breaker, whose file is gone,
 * harms nobody. (Removing the folder instead was tried: between its file and itself it is free.)
 *
 * @param {string} folder
 * @param {(pid: number) => void} onWait
 */
export async function holdLock(folder, onWait) {
  const lock = join(folder, 'bootstrap.lock');
  const me = { pid: process.pid, born: bornOf(process.pid), id: randomUUID() };
  let hasWaited = false;
  while (!tryLock(folder, lock, fileOf(me))) {
    const owner = readOwner(lock);
    if (owner === null) continue;
    if (!isAlive(owner)) {
      remove(lock, owner);
      continue;
    }
    if (!hasWaited) onWait(owner.pid);
    hasWaited = true;
    await sleep(POLL_MS);
  }
  return { release: () => remove(lock, me) };
}

/**
 * `born` is the start time that Linux keeps of a process, so that a number given to a new process
 * is not taken for the old one; elsewhere it is empty.
 *
 * @typedef {{ readonly pid: number, readonly born: string, readonly id: string }} Owner
 */

/** @param {Owner} owner */
function fileOf({ pid, born, id }) {
  return [pid, born, id].join('.');
}

/**
 * @param {string} folder
 * @param {string} lock
 * @param {string} file
 */
function tryLock(folder, lock, file) {
  const prepared = join(folder, `bootstrap.${file}`);
  mkdirSync(prepared, { recursive: true });
  writeFileSync(join(prepared, file), '');
  try {
    renameSync(prepared, lock);
    return true;
  } catch {
    rmSync(prepared, { recursive: true });
    return false;
  }
}

/**
 * Null when the lock has just been freed.
 *
 * @param {string} lock
 * @returns {Owner | null}
 */
function readOwner(lock) {
  try {
    const [pid, born, id] = readdirSync(lock)[0]?.split('.') ?? [];
    return born === undefined || id === undefined ? null : { pid: Number(pid), born, id };
  } catch {
    return null;
  }
}

/**
 * @param {string} lock
 * @param {Owner} owner
 */
function remove(lock, owner) {
  rmSync(join(lock, fileOf(owner)), { force: true });
  try {
    rmdirSync(lock);
  } catch {
    // Somebody has it already.
  }
}

/** @param {Owner} owner */
function isAlive({ pid, born }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM is a living process of another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return born === bornOf(pid);
}

/** @param {number} pid */
function bornOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, second in the line, may hold spaces and brackets: count from its end. The start
    // time is the 22nd field.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

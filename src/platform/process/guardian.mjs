// The guardian: outlives its parent by a few seconds to end what the parent would have ended.
//
// Its standard input is a pipe from the parent, one JSON object a line. When the pipe closes without
// a `goodbye`, the parent was killed: every watched process group gets its stop signal, after the
// grace SIGKILL, and then the watched directories are removed. Plain JavaScript without imports of
// our own, so that it starts at once, stays small, and cannot break with the rest.

import { readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const GRACE_MS = 5_000;
const POLL_MS = 50;

/** Signal that asks a process group to end, by the group's id. @type {Map<number, NodeJS.Signals>} */
const groups = new Map();
/** @type {Set<string>} */
const directories = new Set();
let saidGoodbye = false;

// A signal to "everything" must not take away the one process that cleans up: only the pipe ends it.
for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(name, () => undefined);
process.stdout.write('ready\n');

process.stdin.on('error', () => undefined);
for await (const line of createInterface({ input: process.stdin })) {
  try {
    obey(JSON.parse(line));
  } catch {
    // The parent died in the middle of a line: what stands before it still holds.
  }
}
if (!saidGoodbye) await cleanUp();

/** @param {{ watch?: number, signal?: NodeJS.Signals, release?: number, watchDirectory?: string, releaseDirectory?: string, goodbye?: boolean }} order */
function obey(order) {
  if (order.watch !== undefined) groups.set(order.watch, order.signal ?? 'SIGTERM');
  if (order.release !== undefined) groups.delete(order.release);
  if (order.watchDirectory !== undefined) directories.add(order.watchDirectory);
  if (order.releaseDirectory !== undefined) directories.delete(order.releaseDirectory);
  if (order.goodbye) saidGoodbye = true;
}

async function cleanUp() {
  for (const [group, signal] of groups) send(group, signal);
  for (let waitedMs = 0; waitedMs < GRACE_MS && [...groups.keys()].some(isRunning); waitedMs += POLL_MS) {
    await sleep(POLL_MS);
  }
  // Also where the leader has ended: what it left of its group has nobody else.
  for (const group of groups.keys()) send(group, 'SIGKILL');
  // Retried, because a killed process may still be writing its last file.
  for (const directory of directories) {
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: POLL_MS });
  }
}

/** @param {number} group */
function isRunning(group) {
  return send(group, 0) && !isZombie(group);
}

// A zombie answers signal 0 until somebody reaps it, which in a container may be never.
/** @param {number} pid */
function isZombie(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.charAt(stat.lastIndexOf(')') + 2) === 'Z';
  } catch {
    return false;
  }
}

/**
 * @param {number} group
 * @param {NodeJS.Signals | 0} signal
 */
function send(group, signal) {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}

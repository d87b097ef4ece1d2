import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '../../kernel/clock.ts';
import { hasSystemCode, StartError } from '../../kernel/errors.ts';

export interface FolderLockOptions {
  readonly dataDirectory: string;
  /** How long a Postgres that still runs on the folder is waited for. */
  readonly waitMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

// A little more than the guardian of a killed darkroom takes to end its Postgres: starting again right
// after `kill -9` then simply works.
const WAIT_MS = 8_000;
const POLL_MS = 50;

/**
 * Waits until no Postgres runs on the folder, and removes the lock file of one that died and whose
 * process number now belongs to another program (usual in containers, where numbers are small):
 * Postgres itself would take that program for its predecessor and refuse to start.
 *
 * Rejects with a `StartError` when one still runs after `waitMs`.
 */
export async function waitForFreeFolder(options: FolderLockOptions): Promise<void> {
  const { dataDirectory, waitMs = WAIT_MS, clock, logger } = options;
  const lockFile = path.join(dataDirectory, 'postmaster.pid');
  const deadlineMs = clock.monotonicMs() + waitMs;
  for (let isFirst = true; ; isFirst = false) {
    const pid = await holderOf(lockFile);
    if (pid === null) return;
    if (!(await isPostgres(pid))) {
      // Read again: another start may have put its own lock there in between.
      if ((await holderOf(lockFile)) === pid) await rm(lockFile, { force: true });
      return;
    }
    if (isFirst) logger.info({ dataDirectory, pid }, 'waiting for another Postgres to leave the data folder');
    if (clock.monotonicMs() >= deadlineMs) throw inUse(dataDirectory, pid);
    await clock.sleep(POLL_MS);
  }
}

async function holderOf(lockFile: string): Promise<number | null> {
  try {
    const pid = Number.parseInt(await readFile(lockFile, 'utf8'), 10);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch (error) {
    if (hasSystemCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** Whether a process runs under this number that may be a Postgres. */
async function isPostgres(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (hasSystemCode(error, 'ESRCH')) return false;
  }
  try {
    // Empty for a zombie, which holds nothing any more.
    const [program = ''] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0', 1);
    return program.includes('postgres');
  } catch {
    // Ended meanwhile, or a system without /proc: then Postgres's own check decides.
    return process.platform !== 'linux';
  }
}

function inUse(dataDirectory: string, pid: number): StartError {
  return new StartError(
    `The data folder ${dataDirectory} is in use by Postgres process ${pid}: stop the darkroom that runs on it ` +
      `(if none does, end the process with: kill -INT ${pid}), or choose another folder with --data DIR.`,
  );
}

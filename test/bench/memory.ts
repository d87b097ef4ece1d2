import { readFile } from 'node:fs/promises';
import { systemClock } from '../../src/kernel/clock.ts';
import { familyOf } from '../support/process-table.ts';

const KIB = 1_024;
const PAGE_BYTES = 4_096;
const SAMPLE_MS = 500;

/**
 * Resident memory of a process and all that it started, in bytes. A page that several of them share
 * counts once (PSS in proc_pid_smaps(5)): Postgres' processes share most of theirs.
 */
export async function memoryOf(pid: number): Promise<number> {
  const sizes = await Promise.all((await familyOf(pid)).map((member) => residentBytes(member.pid)));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

async function residentBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  const [, proportionalKib] = /^Pss:\s+(\d+) kB$/m.exec(text) ?? [];
  if (proportionalKib !== undefined) return Number(proportionalKib) * KIB;
  // Of a process of another user only this is known, shared pages in full. Nothing if it has ended.
  const [, pages = 0] = (await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '')).split(' ');
  return Number(pages) * PAGE_BYTES;
}

/** The most memory that a process and its family had while `work` went on, looked at twice a second. */
export async function peakMemory(pid: number, work: () => Promise<unknown>): Promise<number> {
  const over = new AbortController();
  let peakBytes = 0;
  const watch = async () => {
    while (!over.signal.aborted) {
      peakBytes = Math.max(peakBytes, await memoryOf(pid));
      await systemClock.sleep(SAMPLE_MS, over.signal).catch(() => undefined);
    }
  };
  const watching = watch();
  try {
    await work();
  } finally {
    over.abort();
    await watching;
  }
  return peakBytes;
}

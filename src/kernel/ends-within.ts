import type { Clock } from './clock.ts';

/** Whether `work` ends within `limitMs`. Rejects as `work` does; what takes longer goes on unwatched. */
export async function endsWithin(work: Promise<unknown>, limitMs: number, clock: Clock): Promise<boolean> {
  const done = new AbortController();
  const late = clock.sleep(limitMs, done.signal).then(
    () => false,
    () => true,
  );
  const inTime = work.then(() => true);
  return Promise.race([inTime, late]).finally(() => done.abort());
}

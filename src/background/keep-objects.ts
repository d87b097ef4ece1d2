import { endsWithin } from '../kernel/ends-within.ts';
import { repeat } from '../kernel/repeat.ts';
import { createOrphanCollector } from './collect-orphans.ts';
import { expireImages } from './expire-images.ts';
import type { ObjectKeepingDeps } from './object-keeping.ts';

const STOP_MS = 10_000;
// There is no hurry, and a store that is away need not fill the log.
const RETRY_MS = 60_000;

/**
 * Deletes the objects of pictures whose time is over, and those that attempts left behind which were cut off. All in
 * small steps, any of which may be the last: the next process goes on. Any number of these may run.
 * Disposing waits for the step in progress, ten seconds at most.
 */
export function startObjectKeeping(deps: ObjectKeepingDeps): AsyncDisposable {
  const { clock, settings, logger } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  const orphans = createOrphanCollector(deps);

  const expiring = repeat(
    async () => {
      await expireImages(deps, signal).catch((error: unknown) => {
        logger.failed(error, {}, 'deleting expired pictures failed; it is tried again');
      });
      return settings.expireEveryMs;
    },
    clock,
    signal,
  );
  const collecting = repeat(
    async () => {
      try {
        const isOver = await orphans.step();
        return isOver ? settings.orphanWalkEveryMs : settings.orphanStepEveryMs;
      } catch (error) {
        logger.failed(error, {}, 'looking for orphaned objects failed; it is tried again');
        return RETRY_MS;
      }
    },
    clock,
    signal,
  );

  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await endsWithin(Promise.all([expiring, collecting]), STOP_MS, clock);
    },
  };
}

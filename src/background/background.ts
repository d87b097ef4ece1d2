import type { Bell } from '../domains/generation/index.ts';
import { reap, trimHistory } from '../domains/scheduling/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { NewId } from '../kernel/ids.ts';
import { repeat } from '../kernel/repeat.ts';
import type { Db } from '../platform/db/index.ts';

export interface BackgroundDeps {
  /** A pool of `darkroom_system`. */
  readonly systemDb: Db;
  readonly bell: Bell;
  readonly newId: NewId;
  readonly clock: Clock;
  readonly settings: BackgroundSettings;
  readonly logger: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
  };
}

/** How often each thing is done, in milliseconds. */
export interface BackgroundSettings {
  /** What a dead dispatcher's jobs wait for beyond their lease. */
  readonly reapEveryMs: number;
  readonly trimEveryMs: number;
}

export const DEFAULT_BACKGROUND_SETTINGS: BackgroundSettings = {
  reapEveryMs: 1_000,
  trimEveryMs: 10 * 60_000,
};

/**
 * What happens without anybody asking: jobs of dead dispatchers go back into the queue, and what has
 * served its time is deleted. Any number of these may run; they do not get in each other's way.
 * Disposing waits for the work in progress.
 */
export function startBackground(deps: BackgroundDeps): AsyncDisposable {
  const stopping = new AbortController();
  const loops = [
    every(deps.settings.reapEveryMs, 'reaping', () => reapAll(deps)),
    every(deps.settings.trimEveryMs, 'trimming', () => trimHistory(deps.systemDb)),
  ];

  function every(intervalMs: number, name: string, work: () => Promise<void>): Promise<void> {
    const once = async () => {
      await work().catch((error: unknown) => {
        deps.logger.warn({ reason: messageOf(error) }, `${name} failed; it is tried again`);
      });
      return intervalMs;
    };
    return repeat(once, deps.clock, stopping.signal);
  }

  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

async function reapAll(deps: BackgroundDeps): Promise<void> {
  for (let reaped = await reap(deps); reaped !== null; reaped = await reap(deps)) {
    deps.logger.info({ job: reaped.id, state: reaped.state }, 'took a job from a dispatcher that is gone');
  }
}

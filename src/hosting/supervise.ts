import type { Backoff } from '../kernel/backoff.ts';
import { backoffMs } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';

/** Something that runs until it is disposed of, or ends before. */
export interface Server extends AsyncDisposable {
  /** Settles when it has ended, whether asked to or not. */
  readonly exited: Promise<object>;
}

export interface SuperviseOptions<S extends Server> {
  /** What the log calls it: `the database`. */
  readonly name: string;
  /** Starts it, each time in the same place. */
  readonly start: () => Promise<S>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: {
    info(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

/** A server that is kept running. Disposing stops it, and whatever start of it is under way. */
export interface Supervised<S extends Server> extends AsyncDisposable {
  /** The one that was started first. */
  readonly first: S;
}

const BACKOFF: Backoff = { firstMs: 100, maxMs: 10_000 };
// One that ran this long was well: what ended it has nothing to do with the time before.
const WELL_AFTER_MS = 60_000;

/**
 * Starts a server and starts it again whenever it ends by itself, with growing pauses while that keeps
 * happening. Rejects with the reason when the first start fails; later ones are logged and repeated.
 */
export async function supervise<S extends Server>(options: SuperviseOptions<S>): Promise<Supervised<S>> {
  const { start, clock } = options;
  const stopping = new AbortController();
  const first = await start();
  let current: S | null = first;

  async function keepRunning(): Promise<void> {
    let failures = 0;
    for (let sinceMs = clock.monotonicMs(); current !== null; sinceMs = clock.monotonicMs()) {
      const exit = await current.exited;
      if (stopping.signal.aborted) return;
      if (clock.monotonicMs() - sinceMs >= WELL_AFTER_MS) failures = 0;
      options.logger.error(exit, `${options.name} ended by itself and is started again`);
      ({ server: current, failures } = await startAgain(options, failures, stopping.signal));
      if (stopping.signal.aborted) return;
    }
  }

  const kept = keepRunning();
  return {
    first,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      const running = current;
      await running?.[Symbol.asyncDispose]();
      await kept;
      // A start that was under way when the end came has made another one.
      if (current !== running) await current?.[Symbol.asyncDispose]();
    },
  };
}

interface Restarted<S> {
  /** Null: `signal` came first. */
  readonly server: S | null;
  readonly failures: number;
}

async function startAgain<S extends Server>(
  { name, start, clock, random, logger }: SuperviseOptions<S>,
  failed: number,
  signal: AbortSignal,
): Promise<Restarted<S>> {
  for (let failures = failed; ; failures += 1) {
    try {
      await clock.sleep(backoffMs(BACKOFF, failures, random), signal);
      const server = await start();
      logger.info({ failures }, `${name} runs again`);
      // Counted as one until it has shown that it stays.
      return { server, failures: failures + 1 };
    } catch (error) {
      if (signal.aborted) return { server: null, failures };
      logger.error({ reason: messageOf(error) }, `${name} could not be started; it is tried again`);
    }
  }
}

import type { Clock } from './clock.ts';
import { messageOf } from './errors.ts';

export interface OutageLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface OutageDeps {
  /** What the log calls it: `the database`. */
  readonly name: string;
  /** Whether an error says that it is away, and not that it refused. */
  readonly isAway: (error: unknown) => boolean;
  readonly clock: Clock;
  readonly logger: OutageLogger;
}

/**
 * One for all that a process asks of a server, so that its log has two lines of each outage, however many
 * loops and requests meet it: that it is away, and that it is back, after how long.
 */
export interface Outage {
  /** Runs `work`, which asks the server once, and takes note of how that ended. Passes on whatever comes of it. */
  watch<T>(work: () => Promise<T>): Promise<T>;
  /** Takes note of a connection that was lost while nothing was asked. */
  lost(reason: string): void;
  /** Whether it is away now, as far as has been noticed. */
  isOn(): boolean;
}

// A server that is ending answers some and refuses others: only peace for this long is the end of an outage.
const SETTLED_MS = 500;

export function createOutage({ name, isAway, clock, logger }: OutageDeps): Outage {
  let sinceMs: number | null = null;
  let lastLostMs = Number.NEGATIVE_INFINITY;
  let backMs = Number.NEGATIVE_INFINITY;

  function lost(reason: string): void {
    lastLostMs = clock.monotonicMs();
    if (sinceMs !== null) return;
    sinceMs = lastLostMs;
    logger.warn({ reason }, `${name} is away; it is tried again`);
  }

  function served(askedMs: number): void {
    if (sinceMs === null || askedMs < lastLostMs + SETTLED_MS) return;
    backMs = clock.monotonicMs();
    logger.info({ awayMs: Math.round(backMs - sinceMs) }, `${name} is back`);
    sinceMs = null;
  }

  return {
    async watch(work) {
      const askedMs = clock.monotonicMs();
      try {
        const answer = await work();
        served(askedMs);
        return answer;
      } catch (error) {
        // What was asked before the end and is told only now is no news.
        if (isAway(error) && askedMs >= backMs) lost(messageOf(error));
        throw error;
      }
    },
    lost,
    isOn: () => sinceMs !== null,
  };
}

/** What loops that go on after a failure tell of it. */
export interface FailureLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /**
   * Warns of work that failed with `error` and is tried again, or was worth no more. False: it failed for an
   * outage that the log tells of anyway, and was written for those alone who debug.
   */
  failed(error: unknown, fields: object, message: string): boolean;
}

export interface FailureLogDeps {
  readonly logger: OutageLogger &
    Pick<FailureLog, 'error'> & { debug(fields: object, message: string): void };
  readonly outage: Outage;
  /** Whether an error says that the server is away, as for the outage. */
  readonly isAway: (error: unknown) => boolean;
  /** Whether it may come of an outage, when there is one. */
  readonly isTransient: (error: unknown) => boolean;
}

export function createFailureLog({ logger, outage, isAway, isTransient }: FailureLogDeps): FailureLog {
  return {
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    failed(error, fields, message) {
      const isKnown = isAway(error) || (outage.isOn() && isTransient(error));
      logger[isKnown ? 'debug' : 'warn']({ ...fields, reason: messageOf(error) }, message);
      return !isKnown;
    },
  };
}

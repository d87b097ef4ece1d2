import { setTimeout as sleep } from 'node:timers/promises';

/** Waiting and chance as a port, so that a test need not wait. */
export interface Timing {
  /** Resolves after `delayMs`; rejects as soon as `signal` fires. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** A number in [0, 1). */
  chance(): number;
}

export const systemTiming: Timing = {
  sleep: (delayMs, signal) => sleep(delayMs, undefined, signal === undefined ? {} : { signal }),
  chance: () => (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32,
};

const FIRST_MS = 250;
const MAX_MS = 15_000;

/**
 * Delay before the attempt after `failures` failures in a row: doubles from a quarter of a second to
 * 15 seconds, each with half of it left to chance, so that a thousand clients that lost their sockets
 * to one restart do not come back in one instant.
 */
export function backoffMs(failures: number, timing: Timing): number {
  return Math.min(MAX_MS, FIRST_MS * 2 ** (failures - 1)) * (0.5 + 0.5 * timing.chance());
}

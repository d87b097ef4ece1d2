import type { Random } from './random.ts';
import { unitInterval } from './random.ts';

export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * Delay before retry `attempt` (0 is the first): exponential, the upper half of it random, so that
 * many clients that failed together do not come back together.
 */
export function backoffMs(backoff: Backoff, attempt: number, random: Random): number {
  const ceilingMs = Math.min(backoff.maxMs, backoff.firstMs * 2 ** attempt);
  return ceilingMs * (0.5 + 0.5 * unitInterval(random));
}

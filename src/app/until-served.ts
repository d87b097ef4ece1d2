import type { Dispatcher } from '../dispatcher/index.ts';
import type { Fleet } from '../domains/fleet/index.ts';
import type { Clock } from '../kernel/clock.ts';

interface Deps {
  readonly dispatcher: Dispatcher;
  readonly fleet: Fleet;
  readonly clock: Clock;
  /** False: without any node there is none to wait for. */
  readonly isNodeExpected: boolean;
}

const POLL_MS = 250;

/**
 * Resolves once jobs can run: a node has answered this dispatcher or another one that holds it, or there
 * is no node at all and none is expected. Rejects with the reason of `signal`.
 */
export async function untilServed(deps: Deps, signal: AbortSignal): Promise<void> {
  const found = new AbortController();
  const either = AbortSignal.any([signal, found.signal]);
  try {
    await Promise.race([deps.dispatcher.ready(either), untilOthersServe(deps, either)]);
  } finally {
    found.abort();
  }
}

async function untilOthersServe({ fleet, clock, isNodeExpected }: Deps, signal: AbortSignal): Promise<void> {
  for (;;) {
    // A database that is away for a moment is asked again.
    const nodes = await fleet.list().catch(() => null);
    if (nodes?.length === 0 && !isNodeExpected) return;
    if (nodes?.some(({ state, holder }) => state === 'READY' && holder !== null)) return;
    await clock.sleep(POLL_MS, signal);
  }
}

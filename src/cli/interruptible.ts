import { systemClock } from '../kernel/clock.ts';
import type { Host } from './host.ts';
import { EXIT_INTERRUPTED, fail } from './output.ts';

/** What is done with the little time that is left when the process is told to end a second time. */
export type LastAct = () => Promise<void>;

/** Adds an act for the case that somebody insists. */
export type OnInsist = (act: LastAct) => void;

const LAST_ACTS_MS = 1_000;

/**
 * Runs a command that holds things open: the first Ctrl-C or SIGTERM fires the signal, so that it can
 * close them, a second one ends the process within a second, and a third one at once. What the command
 * rejects with is printed as one line.
 */
export async function interruptible(
  host: Host,
  run: (signal: AbortSignal, onInsist: OnInsist) => Promise<number>,
): Promise<void> {
  const interrupt = new AbortController();
  const lastActs: LastAct[] = [];
  using _listener = host.onInterrupt(() => {
    if (!interrupt.signal.aborted) interrupt.abort();
    // Emptied as it is taken, so that the third time there is nothing to wait for.
    else if (lastActs.length > 0) void actAndExit(host, lastActs.splice(0));
    else host.exit(EXIT_INTERRUPTED);
  });
  try {
    host.setExitCode(await run(interrupt.signal, (act) => void lastActs.push(act)));
  } catch (error) {
    // Told to stop while it was starting: not a failure. Anything else is one, also while it stops.
    const isOurs = interrupt.signal.aborted && error === interrupt.signal.reason;
    host.setExitCode(isOurs ? EXIT_INTERRUPTED : fail(error, host.stderr));
  }
}

async function actAndExit(host: Host, acts: readonly LastAct[]): Promise<void> {
  const late = systemClock.sleep(LAST_ACTS_MS);
  await Promise.race([Promise.allSettled(acts.map((act) => act())), late]);
  host.exit(EXIT_INTERRUPTED);
}

/** Resolves when `signal` fires. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

import type { Host } from './host.ts';
import { EXIT_INTERRUPTED, fail } from './output.ts';

/**
 * Runs a command that holds things open: the first Ctrl-C or SIGTERM fires the signal, so that it can
 * close them, a second one ends the process at once. What the command rejects with is printed as one line.
 */
export async function interruptible(
  host: Host,
  run: (signal: AbortSignal) => Promise<number>,
): Promise<void> {
  const interrupt = new AbortController();
  using _listener = host.onInterrupt(() => {
    if (interrupt.signal.aborted) host.exit(EXIT_INTERRUPTED);
    interrupt.abort();
  });
  try {
    host.setExitCode(await run(interrupt.signal));
  } catch (error) {
    // Told to stop while it was starting: not a failure. Anything else is one, also while it stops.
    const isOurs = interrupt.signal.aborted && error === interrupt.signal.reason;
    host.setExitCode(isOurs ? EXIT_INTERRUPTED : fail(error, host.stderr));
  }
}

/** Resolves when `signal` fires. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

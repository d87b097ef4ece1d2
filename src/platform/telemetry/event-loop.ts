import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Watches how late the event loop of this process is, until disposed. */
export interface EventLoopMonitor extends Disposable {
  /** The mean since the monitor was opened, in milliseconds; null before the first sample. */
  meanDelayMs(): number | null;
}

// Fine enough for a step of a few milliseconds, and a hundred wake-ups a second cost nothing to speak of.
const RESOLUTION_MS = 10;
const NANOSECONDS_PER_MS = 1e6;

/** Opens a monitor. It keeps no process alive. */
export function openEventLoopMonitor(): EventLoopMonitor {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return {
    meanDelayMs() {
      if (histogram.count === 0) return null;
      // What is recorded is the time from one tick of its timer to the next, lateness and all.
      return Math.max(0, histogram.mean / NANOSECONDS_PER_MS - RESOLUTION_MS);
    },
    [Symbol.dispose]: () => void histogram.disable(),
  };
}

import type { Clock } from '../../kernel/clock.ts';
import type { ApiFigures, DispatcherFigures, ProcessIdentity, ProcessReport } from './figures.ts';

/**
 * Where a process's figures come from. Each role sets its own when it has started; null while, or
 * because, the process does not have it. Asked often: an answer costs a few reads of counters and no IO.
 */
export interface FigureSources {
  dispatcher: (() => DispatcherFigures) | null;
  api: (() => ApiFigures) | null;
  /** The mean by which the event loop was late, in milliseconds; null before the first sample. */
  readonly eventLoopDelayMs: () => number | null;
}

/** Reads all the figures of this process at once. The time that it has counted begins with this call. */
export function createProcessMeter(
  identity: ProcessIdentity,
  sources: FigureSources,
  clock: Clock,
): () => ProcessReport {
  const startMs = clock.monotonicMs();
  return () => ({
    ...identity,
    figures: {
      upMs: clock.monotonicMs() - startMs,
      eventLoopDelayMs: sources.eventLoopDelayMs(),
      dispatcher: sources.dispatcher?.() ?? null,
      api: sources.api?.() ?? null,
    },
  });
}

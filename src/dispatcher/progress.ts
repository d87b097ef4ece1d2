import type { NewProgress } from '../domains/generation/index.ts';
import type { Scheduling } from '../domains/scheduling/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import { repeat } from '../kernel/repeat.ts';
import type { DispatcherLogger } from './log.ts';
import type { Run } from './run.ts';
import type { DispatcherSettings } from './settings.ts';

export interface ProgressDeps {
  readonly scheduling: Scheduling;
  readonly clock: Clock;
  readonly logger: DispatcherLogger;
  readonly settings: DispatcherSettings;
}

export interface ProgressWriter {
  /** Writes what all runs have to tell, every `progressMs`, until `signal` fires. */
  loop(runs: () => Iterable<Run>, signal: AbortSignal): Promise<void>;
  /**
   * Takes what a run has to tell, for the transaction of its next state event. Waits for a write in
   * progress first, so that numbers reach the database in their order.
   */
  take(run: Run): Promise<readonly NewProgress[]>;
}

/**
 * Progress events, off the step loop: the latest step and preview of every job, in one insert for all
 * jobs. A job whose numbers are used up waits for its next heartbeat to bring more.
 */
export function createProgressWriter({ scheduling, clock, logger, settings }: ProgressDeps): ProgressWriter {
  let writing: Promise<void> = Promise.resolve();

  async function write(rows: readonly NewProgress[]): Promise<void> {
    await scheduling.progress(rows).catch((error: unknown) => {
      // Lost progress shows as a GAP; the state that matters is written with its own transaction.
      logger.warn({ rows: rows.length, reason: messageOf(error) }, 'progress could not be written');
    });
  }

  return {
    loop: (runs, signal) =>
      repeat(
        async () => {
          const rows = [...runs()].flatMap((run) => toRows(run, clock.nowMs()));
          if (rows.length > 0) writing = write(rows);
          await writing;
          return settings.progressMs;
        },
        clock,
        signal,
      ),
    async take(run) {
      await writing;
      return toRows(run, clock.nowMs());
    },
  };
}

/** The rows that a run has to tell, numbered; they count as told from here on. */
function toRows(run: Run, atMs: number): readonly NewProgress[] {
  const { tenantId, id: jobId, fence } = run.job;
  const news = [
    ...(run.step > run.reportedStep ? [{ type: 'STEP' as const, preview: null }] : []),
    ...(run.preview === null ? [] : [{ type: 'PREVIEW' as const, preview: run.preview }]),
  ];
  if (news.length === 0 || run.nextSequence + news.length - 1 > run.sequenceMax) return [];
  const rows = news.map((each, index) => ({
    ...each,
    tenantId,
    jobId,
    fence,
    atMs,
    sequence: run.nextSequence + index,
    step: run.step,
  }));
  run.nextSequence += rows.length;
  run.reportedStep = run.step;
  run.preview = null;
  return rows;
}

import type { NewProgress } from '../domains/generation/index.ts';
import type { Scheduling } from '../domains/scheduling/index.ts';
import type { Clock } from '../kernel/clock.ts';
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
  /**
   * Writes what all runs have to tell, every `progressMs`, until `signal` fires. A run that is ending tells
   * nothing here: the numbers that follow are those of its last events.
   */
  loop(runs: () => Iterable<Run>, signal: AbortSignal): Promise<void>;
  /**
   * Takes what a run that is ending has to tell, for the transaction of its next state event. Waits for a
   * write in progress first, so that numbers reach the database in their order.
   */
  take(run: Run): Promise<readonly NewProgress[]>;
}

/**
 * Progress events, off the step loop: the latest step and preview of every job, in one insert for all
 * jobs. A job whose numbers are used up waits for its next heartbeat to bring more.
 */
export function createProgressWriter({ scheduling, clock, logger, settings }: ProgressDeps): ProgressWriter {
  let writing: Promise<void> = Promise.resolve();
  let isFailing = false;

  async function write(rows: readonly NewProgress[]): Promise<void> {
    try {
      await scheduling.progress(rows);
      isFailing = false;
    } catch (error) {
      // Lost progress shows as a GAP; the state that matters is written with its own transaction.
      if (!isFailing)
        isFailing = logger.failed(error, {}, 'progress cannot be written, and is lost until it can');
    }
  }

  return {
    loop: (runs, signal) =>
      repeat(
        async () => {
          const rows = [...runs()].filter(({ isEnding }) => !isEnding).flatMap(toRows);
          if (rows.length > 0) writing = write(rows);
          await writing;
          return settings.progressMs;
        },
        clock,
        signal,
      ),
    async take(run) {
      await writing;
      // Twice: a preview that waited goes first, and the steps after it follow.
      return [...toRows(run), ...toRows(run)];
    },
  };
}

/**
 * The rows that a run has to tell, numbered; they count as told from here on. Steps stay in order: while
 * a preview is in the making only the steps up to its own are told.
 */
function toRows(run: Run): readonly NewProgress[] {
  const { tenantId, id: jobId, fence } = run.job;
  const step = Math.min(run.step, run.previewStep ?? run.step);
  const news = [
    ...(step > run.reportedStep ? [{ type: 'STEP' as const, preview: null }] : []),
    ...(run.preview === null ? [] : [{ type: 'PREVIEW' as const, preview: run.preview }]),
  ];
  if (news.length === 0 || run.nextSequence + news.length - 1 > run.sequenceMax) return [];
  const first = run.nextSequence;
  run.nextSequence += news.length;
  run.reportedStep = step;
  if (run.preview !== null) Object.assign(run, { preview: null, previewStep: null });
  return news.map((each, index) => ({
    ...each,
    tenantId,
    jobId,
    fence,
    sequence: first + index,
    step,
  }));
}

import { status, KserveError } from '../platform/kserve/index.ts';
import { joinJobs, rowsOf, splitOutputs } from './batches.ts';
import type { TakenJob } from './job-queue.ts';
import type { SessionThread } from './session-thread.ts';
import type { ComputeTimes, RawTensor } from './worker-messages.ts';

/** One run of a model's graph that succeeded, and when the requests in it came. */
export interface Execution {
  readonly model: string;
  readonly rows: number;
  readonly times: ComputeTimes;
  /** On the monotonic clock. */
  readonly startedMs: number;
  readonly addedMs: readonly number[];
}

/** What becomes of jobs that ran as one. */
export type BatchOutcome =
  | {
      readonly kind: 'DONE';
      readonly execution: Execution;
      readonly answers: readonly (readonly RawTensor[])[];
    }
  /** Something in it raised or killed the thread: each is to be run by itself. */
  | { readonly kind: 'APART' }
  | { readonly kind: 'FAILED'; readonly error: unknown; readonly batch: readonly TakenJob[] };

/** Runs jobs of one batch on an idle thread. Nobody is answered yet. Never rejects. */
export async function runBatch(
  thread: SessionThread,
  batch: readonly TakenJob[],
  startedMs: number,
): Promise<BatchOutcome> {
  const jobs = batch.map(({ job }) => job);
  try {
    const job = joinJobs(jobs);
    const { outputs, times } = await thread.run(job);
    const answers = splitOutputs(outputs, jobs.map(rowsOf));
    if (!answers) return { kind: 'APART' };
    const addedMs = batch.map((each) => each.addedMs);
    const execution = { model: job.model, rows: rowsOf(job), times, startedMs, addedMs };
    return { kind: 'DONE', execution, answers };
  } catch (error) {
    if (batch.length > 1 && isOfOne(error)) return { kind: 'APART' };
    return { kind: 'FAILED', error, batch };
  }
}

/** Answers the callers of a batch that is not to run apart. */
export function answer(batch: readonly TakenJob[], outcome: BatchOutcome): void {
  for (const [at, { resolve, reject }] of batch.entries()) {
    if (outcome.kind === 'DONE') resolve(outcome.answers[at] ?? []);
    if (outcome.kind === 'FAILED') reject(outcome.error);
  }
}

/** Whether the rows of one job may be to blame. */
function isOfOne(error: unknown): boolean {
  return error instanceof KserveError && error.status === status.INTERNAL;
}

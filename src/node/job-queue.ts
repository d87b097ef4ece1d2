import type { Clock } from '../kernel/clock.ts';
import { KserveError, status } from '../platform/kserve/index.ts';
import { batchKeyOf, rowsOf } from './batches.ts';
import { ofRequest } from './infer-request.ts';
import type { InferJob, RawTensor } from './worker-messages.ts';

/** A job that has left the queue: its caller can no longer withdraw it and awaits an outcome. */
export interface TakenJob {
  readonly job: InferJob;
  /** When it came, on the monotonic clock. */
  readonly addedMs: number;
  readonly resolve: (outputs: readonly RawTensor[]) => void;
  readonly reject: (error: unknown) => void;
}

export interface JobQueueOptions {
  /** The most jobs of one model that may wait. */
  readonly waitingMax: number;
  readonly clock: Clock;
}

/** Jobs that wait for a thread, first come, first served. */
export interface JobQueue {
  /**
   * Adds a job; settles with the outcome that whoever takes it gives. Rejects with a `KserveError`
   * CANCELLED when `signal` fires before it is taken, UNAVAILABLE when too many of its model wait already or
   * the queue is closed before.
   */
  add(job: InferJob, signal: AbortSignal): Promise<readonly RawTensor[]>;
  /** The first job with those behind it that can run as one with it, up to the most rows; none when none waits. */
  take(): readonly TakenJob[];
  /** Jobs that have failed as one: each is taken by itself, before all others. */
  putBack(jobs: readonly TakenJob[]): void;
  /** Refuses the jobs that wait and all that come later. */
  close(): void;
}

interface Waiting extends TakenJob {
  /** Null for a job that is to run by itself. */
  readonly key: string | null;
  /** Removes the caller's listener, so that the caller can no longer withdraw the job. */
  readonly release: () => void;
}

export function createJobQueue({ waitingMax, clock }: JobQueueOptions): JobQueue {
  // A Set keeps the order of insertion.
  const waiting = new Set<Waiting>();
  const alone: TakenJob[] = [];
  let isClosed = false;

  function wait(taken: TakenJob, signal: AbortSignal): void {
    const { job, reject } = taken;
    const withdraw = () => {
      waiting.delete(entry);
      reject(new KserveError(status.CANCELLED, 'The caller withdrew the request.'));
    };
    const release = () => signal.removeEventListener('abort', withdraw);
    const entry: Waiting = { ...taken, key: rowsOf(job) > 0 ? batchKeyOf(job) : null, release };
    if (isClosed) return reject(exiting());
    if (signal.aborted) return withdraw();
    if (countOf(waiting, job.model) >= waitingMax) return reject(full(job));
    signal.addEventListener('abort', withdraw, { once: true });
    waiting.add(entry);
    return undefined;
  }

  function take(): readonly TakenJob[] {
    const again = alone.shift();
    if (again) return [again];
    const [first] = waiting;
    if (!first) return [];
    const taken = takeTogether(waiting, first);
    for (const each of taken) {
      waiting.delete(each);
      each.release();
    }
    return taken;
  }

  return {
    add: (job, signal) =>
      new Promise((resolve, reject) => wait({ job, addedMs: clock.monotonicMs(), resolve, reject }, signal)),
    take,
    putBack(jobs) {
      if (isClosed) for (const { reject } of jobs) reject(exiting());
      else alone.push(...jobs);
    },
    close() {
      isClosed = true;
      for (let each = take(); each.length > 0; each = take())
        for (const { reject } of each) reject(exiting());
    },
  };
}

function countOf(waiting: Iterable<Waiting>, model: string): number {
  let count = 0;
  for (const { job } of waiting) if (job.model === model) count += 1;
  return count;
}

function takeTogether(waiting: Iterable<Waiting>, first: Waiting): readonly Waiting[] {
  const taken = [first];
  let rows = rowsOf(first.job);
  for (const next of waiting) {
    if (next === first || next.key === null || next.key !== first.key) continue;
    rows += rowsOf(next.job);
    // One behind it may be small enough, but would overtake it.
    if (rows > first.job.rowsMax) break;
    taken.push(next);
  }
  return taken;
}

function exiting(): KserveError {
  return new KserveError(status.UNAVAILABLE, 'Server exiting');
}

function full({ id }: InferJob): KserveError {
  return new KserveError(status.UNAVAILABLE, ofRequest(id, 'Exceeds maximum queue size'));
}

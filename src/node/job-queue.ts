import { KserveError, status } from '../platform/kserve/index.ts';
import type { InferJob, RawTensor } from './worker-messages.ts';

/** A job that has left the queue: its caller can no longer withdraw it and awaits an outcome. */
export interface TakenJob {
  readonly job: InferJob;
  readonly resolve: (outputs: readonly RawTensor[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Jobs that wait for a thread, first come, first served. */
export interface JobQueue {
  /**
   * Adds a job; settles with the outcome that whoever takes it gives. Rejects with a `KserveError`
   * CANCELLED when `signal` fires before it is taken, UNAVAILABLE when the queue is closed before.
   */
  add(job: InferJob, signal: AbortSignal): Promise<readonly RawTensor[]>;
  take(): TakenJob | null;
  /** Refuses the jobs that wait and all that come later. */
  close(): void;
}

interface Waiting extends TakenJob {
  /** Removes the caller's listener, so that the caller can no longer withdraw the job. */
  readonly release: () => void;
}

export function createJobQueue(): JobQueue {
  const waiting = new Set<Waiting>();
  let isClosed = false;

  function wait(taken: TakenJob, signal: AbortSignal): void {
    const withdraw = () => {
      waiting.delete(entry);
      taken.reject(new KserveError(status.CANCELLED, 'The caller withdrew the request.'));
    };
    const entry = { ...taken, release: () => signal.removeEventListener('abort', withdraw) };
    if (isClosed) return taken.reject(exiting());
    if (signal.aborted) return withdraw();
    signal.addEventListener('abort', withdraw, { once: true });
    waiting.add(entry);
    return undefined;
  }

  function take(): Waiting | null {
    // A Set keeps the order of insertion.
    const [first] = waiting;
    if (!first) return null;
    waiting.delete(first);
    first.release();
    return first;
  }

  return {
    add: (job, signal) => new Promise((resolve, reject) => wait({ job, resolve, reject }, signal)),
    take,
    close() {
      isClosed = true;
      for (let each = take(); each; each = take()) each.reject(exiting());
    },
  };
}

function exiting(): KserveError {
  return new KserveError(status.UNAVAILABLE, 'Server exiting');
}

import type { JobError, Outcome } from '../domains/generation/index.ts';
import { partialCredits } from '../domains/generation/index.ts';
import type { ClaimedJob } from '../domains/scheduling/index.ts';
import type { Backoff } from '../kernel/backoff.ts';
import { backoffMs } from '../kernel/backoff.ts';
import type { Random } from '../kernel/random.ts';
import { isRetryableDatabaseError } from '../platform/db/index.ts';
import { BlobError } from './blobs.ts';
import type { EngineErrorCode } from './engines.ts';
import { EngineError } from './engines.ts';
import { JobFailure } from './failure.ts';
import type { Interruption, Run } from './run.ts';
import { Interrupted } from './run.ts';

/** What becomes of a job after a run: its end, a place back in the queue, or nothing when it is lost. */
export type Verdict =
  | { readonly kind: 'END'; readonly outcome: Outcome }
  | { readonly kind: 'REQUEUE'; readonly isAttempt: boolean; readonly delayMs: number }
  | { readonly kind: 'DROP' };

export interface JudgeDeps {
  readonly random: Random;
  /** How often a job may fail before it is FAILED. */
  readonly attemptsMax: number;
}

const ATTEMPT_BACKOFF: Backoff = { firstMs: 500, maxMs: 10_000 };

// A node that is full or ends has done nothing wrong, nor has the job: it waits in the queue, where its tenant sees it.
// So does one whose call never left, when a neighbour's has just taken the node down.
const BUSY_BACKOFF: Backoff = { firstMs: 1_000, maxMs: 1_000 };
const BLAMELESS: ReadonlySet<EngineErrorCode> = new Set(['OVERLOADED', 'DRAINING', 'CANCELLED']);

/** What becomes of a run that was interrupted, or null when it was not. */
export function judgeInterruption(run: Run, error: unknown): Verdict | null {
  const interruption = interruptionOf(run, error);
  if (interruption === null) return null;
  if (interruption === 'LOST') return { kind: 'DROP' };
  if (interruption === 'STOPPING') return { kind: 'REQUEUE', isAttempt: false, delayMs: 0 };
  // What failed besides was not the tenant's doing, and a failed job costs nothing.
  const isClean = error instanceof Interrupted;
  const credits = isClean ? partialCredits(run.job.credits, run.step, run.plan.totalSteps) : 0;
  return { kind: 'END', outcome: { state: 'CANCELLED', credits } };
}

function interruptionOf({ interruption }: Run, error: unknown): Interruption | null {
  // Whatever failed besides: the job is not ours any more, or nobody wants it and it is not started again.
  if (interruption === 'LOST' || interruption === 'CANCELLED') return interruption;
  return error instanceof Interrupted ? error.interruption : null;
}

/** What becomes of a job whose run failed. An engine's fault is an attempt; one that is full, ends, or was not there to be asked, is none. */
export function judgeFailure(job: ClaimedJob, { random, attemptsMax }: JudgeDeps, error: unknown): Verdict {
  if (error instanceof JobFailure) return fail(error);
  if (error instanceof EngineError && error.fault === 'request') {
    return fail({ code: 'ENGINE_FAILED', message: 'The engine refused this job. It was not charged.' });
  }
  const isBlameless = error instanceof EngineError && (BLAMELESS.has(error.code) || !error.wasSent);
  if (isBlameless || isRetryableDatabaseError(error)) {
    return { kind: 'REQUEUE', isAttempt: false, delayMs: backoffMs(BUSY_BACKOFF, 0, random) };
  }
  if (job.attempts + 1 >= attemptsMax) return fail(lastFailure(error));
  return { kind: 'REQUEUE', isAttempt: true, delayMs: backoffMs(ATTEMPT_BACKOFF, job.attempts, random) };
}

function fail({ code, message }: JobError): Verdict {
  return { kind: 'END', outcome: { state: 'FAILED', error: { code, message }, credits: 0 } };
}

function lastFailure(error: unknown): JobError {
  if (error instanceof BlobError) {
    return { code: 'STORAGE_FAILED', message: 'The picture could not be stored. It was not charged.' };
  }
  return error instanceof EngineError
    ? { code: 'NODE_UNAVAILABLE', message: 'No node could run this job to its end. It was not charged.' }
    : { code: 'INTERNAL', message: 'The job failed by a fault of ours. It was not charged.' };
}

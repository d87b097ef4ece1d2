import type { JobError, Outcome } from '../domains/generation/index.ts';
import { partialCredits } from '../domains/generation/index.ts';
import type { ClaimedJob, Counted } from '../domains/scheduling/index.ts';
import { POISONED, RECOVERIES_MAX } from '../domains/scheduling/index.ts';
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
  | { readonly kind: 'REQUEUE'; readonly counts: Counted; readonly delayMs: number }
  | { readonly kind: 'DROP' };

export interface JudgeDeps {
  readonly random: Random;
  /** How often a job may fail before it is FAILED. */
  readonly attemptsMax: number;
}

const FAILURE_BACKOFF: Backoff = { firstMs: 500, maxMs: 10_000 };

// A node that is full or ends has done nothing wrong, nor has the job: it waits in the queue, where its tenant sees it.
// So does one whose call never left, when a neighbour's has just taken the node down.
const BUSY_BACKOFF: Backoff = { firstMs: 1_000, maxMs: 1_000 };
const BLAMELESS: ReadonlySet<EngineErrorCode> = new Set(['OVERLOADED', 'DRAINING', 'CANCELLED']);

// The node went away with the call, perhaps for another job's: as when a dispatcher dies. So does a Triton that is
// told to end, whose models go before it and are NOT_FOUND until it does, and one whose model is unloaded under a job.
const GONE: ReadonlySet<EngineErrorCode> = new Set(['UNREACHABLE', 'TIMED_OUT', 'NOT_LOADED']);

/** What becomes of a run that was interrupted, or null when it was not. */
export function judgeInterruption(run: Run, error: unknown): Verdict | null {
  const interruption = interruptionOf(run, error);
  if (interruption === null) return null;
  if (interruption === 'LOST') return { kind: 'DROP' };
  if (interruption === 'STOPPING') return { kind: 'REQUEUE', counts: null, delayMs: 0 };
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

/**
 * What becomes of a job whose run failed. What an engine answered is an attempt; one that went away without an
 * answer, or had lost its model, is a recovery; one that is full, ends, or was not there to be asked, is neither.
 */
export function judgeFailure(job: ClaimedJob, deps: JudgeDeps, error: unknown): Verdict {
  if (error instanceof JobFailure) return fail(error);
  if (error instanceof EngineError && error.fault === 'request') {
    return fail({ code: 'ENGINE_FAILED', message: 'The engine refused this job. It was not charged.' });
  }
  if (isBlameless(error)) {
    return { kind: 'REQUEUE', counts: null, delayMs: backoffMs(BUSY_BACKOFF, 0, deps.random) };
  }
  const isGone = error instanceof EngineError && GONE.has(error.code);
  return isGone ? recover(job, deps) : tryAgain(job, deps, error);
}

function isBlameless(error: unknown): boolean {
  if (error instanceof EngineError) return BLAMELESS.has(error.code) || !error.wasSent;
  return isRetryableDatabaseError(error);
}

function recover(job: ClaimedJob, { random }: JudgeDeps): Verdict {
  if (job.recoveries >= RECOVERIES_MAX) return fail(POISONED);
  return { kind: 'REQUEUE', counts: 'RECOVERY', delayMs: backoffMs(FAILURE_BACKOFF, job.recoveries, random) };
}

function tryAgain(job: ClaimedJob, { random, attemptsMax }: JudgeDeps, error: unknown): Verdict {
  if (job.attempts + 1 >= attemptsMax) return fail(lastFailure(error));
  return { kind: 'REQUEUE', counts: 'ATTEMPT', delayMs: backoffMs(FAILURE_BACKOFF, job.attempts, random) };
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

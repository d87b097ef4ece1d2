import type { Completion, FinishedRun, JobError, Outcome } from '../domains/generation/index.ts';
import { partialCredits } from '../domains/generation/index.ts';
import type { Scheduling } from '../domains/scheduling/index.ts';
import type { Backoff } from '../kernel/backoff.ts';
import { backoffMs } from '../kernel/backoff.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import { BlobError } from './blobs.ts';
import { denoise } from './denoise.ts';
import { encodePrompts } from './encode-prompts.ts';
import type { EngineErrorCode } from './engines.ts';
import { EngineError } from './engines.ts';
import { JobFailure } from './failure.ts';
import type { FinishDeps } from './finish.ts';
import { finish } from './finish.ts';
import type { HeldNodes } from './held-nodes.ts';
import type { DispatcherLogger } from './log.ts';
import { createPreviews } from './previews.ts';
import type { ProgressWriter } from './progress.ts';
import type { Interruption, Run } from './run.ts';
import { Interrupted } from './run.ts';
import type { DispatcherSettings } from './settings.ts';

export interface RunDeps extends FinishDeps {
  readonly random: Random;
  readonly completion: Completion;
  readonly scheduling: Scheduling;
  readonly nodes: HeldNodes;
  readonly progress: ProgressWriter;
  readonly logger: DispatcherLogger;
  readonly settings: DispatcherSettings;
}

/** What becomes of a job after a run: its end, a place back in the queue, or nothing when it is lost. */
type Verdict =
  | { readonly kind: 'END'; readonly outcome: Outcome }
  | { readonly kind: 'REQUEUE'; readonly isAttempt: boolean; readonly delayMs: number }
  | { readonly kind: 'DROP' };

const ATTEMPT_BACKOFF: Backoff = { firstMs: 500, maxMs: 10_000 };

// A node that is full has done nothing wrong, nor has the job: it waits in the queue, where its tenant sees it.
const BUSY_BACKOFF: Backoff = { firstMs: 1_000, maxMs: 1_000 };
const BLAMELESS: ReadonlySet<EngineErrorCode> = new Set(['OVERLOADED', 'CANCELLED']);

/**
 * Runs one claimed job to its verdict. Rejects only when the verdict could not be written, and then
 * the lease runs out and the job goes on elsewhere.
 */
export async function runJob(run: Run, deps: RunDeps): Promise<void> {
  const verdict = await produce(run, deps).catch((error: unknown) => judge(run, deps, error));
  run.isEnding = true;
  if (verdict.kind === 'DROP') return;
  const pending = await deps.progress.take(run);
  const { tenantId, id: jobId, fence } = run.job;
  const ended: FinishedRun = {
    tenantId,
    jobId,
    fence,
    step: run.step,
    pending,
    nextSequence: run.nextSequence,
  };
  if (verdict.kind === 'END') {
    await deps.completion.complete(ended, verdict.outcome);
    return;
  }
  const { isAttempt, delayMs } = verdict;
  await deps.scheduling.release({ ...ended, id: jobId, isAttempt, delayMs });
}

async function produce(run: Run, deps: RunDeps): Promise<Verdict> {
  const previews = createPreviews(run, deps.pictures, deps.logger);
  try {
    const conditions = await encodePrompts(run);
    const pictures = await denoise(run, conditions, (each) => previews.onStep(each));
    const images = await finish(run, deps, pictures);
    return { kind: 'END', outcome: { state: 'SUCCEEDED', images, credits: run.job.credits } };
  } finally {
    await previews.settle();
  }
}

function judge(run: Run, deps: RunDeps, error: unknown): Verdict {
  if (run.interruption === 'LOST') return { kind: 'DROP' };
  // A cancel that came after the interruption that the loop saw wins. And nobody wants it any more then: a
  // call that failed meanwhile is no reason to start it again.
  if (run.interruption === 'CANCELLED') return judgeInterruption(run, 'CANCELLED');
  if (error instanceof Interrupted) return judgeInterruption(run, error.interruption);
  deps.logger.warn({ job: run.job.id, step: run.step, reason: messageOf(error) }, 'run failed');
  return judgeFailure(run, deps, error);
}

function judgeFailure(run: Run, deps: RunDeps, error: unknown): Verdict {
  if (error instanceof JobFailure) return fail(error);
  if (error instanceof EngineError && error.fault === 'request') {
    return fail({ code: 'ENGINE_FAILED', message: 'The engine refused this job. It was not charged.' });
  }
  if (error instanceof EngineError && BLAMELESS.has(error.code)) {
    return { kind: 'REQUEUE', isAttempt: false, delayMs: backoffMs(BUSY_BACKOFF, 0, deps.random) };
  }
  if (error instanceof EngineError) deps.nodes.suspect(run.node.node.id);
  const { attempts } = run.job;
  if (attempts + 1 >= deps.settings.attemptsMax) return fail(lastFailure(error));
  return { kind: 'REQUEUE', isAttempt: true, delayMs: backoffMs(ATTEMPT_BACKOFF, attempts, deps.random) };
}

function judgeInterruption(run: Run, interruption: Interruption): Verdict {
  if (interruption !== 'CANCELLED') return { kind: 'REQUEUE', isAttempt: false, delayMs: 0 };
  const credits = partialCredits(run.job.credits, run.step, run.plan.totalSteps);
  return { kind: 'END', outcome: { state: 'CANCELLED', credits } };
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

import { judgeFirstEvaluation } from '../diffusion/index.ts';
import type { ClaimedJob } from '../domains/scheduling/index.ts';
import { denoise } from './denoise.ts';
import { encodePrompts } from './encode-prompts.ts';
import { EngineError } from './engines.ts';
import type { FinishDeps } from './finish.ts';
import { finish } from './finish.ts';
import type { HeldNodes } from './held-nodes.ts';
import { answerFor } from './picture-check.ts';
import { createPreviews } from './previews.ts';
import type { ProgressWriter } from './progress.ts';
import type { Run } from './run.ts';
import type { DispatcherSettings } from './settings.ts';
import type { Verdict } from './verdict.ts';
import { judgeFailure, judgeInterruption } from './verdict.ts';
import type { WriteDeps } from './write-verdict.ts';
import { writeVerdict } from './write-verdict.ts';

export interface RunDeps extends FinishDeps, WriteDeps {
  readonly nodes: HeldNodes;
  readonly progress: ProgressWriter;
  readonly settings: DispatcherSettings;
}

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
  const { step, nextSequence } = run;
  await writeVerdict(deps, { tenantId, jobId, fence, step, pending, nextSequence }, verdict);
}

/** Gives back, or at last fails, a job that could not even be begun. Rejects as `runJob` does. */
export async function giveUp(job: ClaimedJob, deps: RunDeps, error: unknown): Promise<void> {
  deps.logger.failed(error, { job: job.id }, 'a job could not be begun');
  const { tenantId, id: jobId, fence, nextSequence } = job;
  const ended = { tenantId, jobId, fence, step: 0, pending: [], nextSequence };
  const { random, settings } = deps;
  await writeVerdict(deps, ended, judgeFailure(job, { random, attemptsMax: settings.attemptsMax }, error));
}

async function produce(run: Run, deps: RunDeps): Promise<Verdict> {
  const previews = createPreviews(run, deps.pictures, deps.logger);
  try {
    deps.reach('dispatcher.claimed');
    const conditions = await encodePrompts(run);
    const pictures = await denoise(run, conditions, {
      onFirst: (evaluation) => answerFor(run, deps, judgeFirstEvaluation(run.plan, evaluation)),
      onStep(each) {
        deps.reach('dispatcher.stepped');
        previews.onStep(each);
      },
    });
    const images = await finish(run, deps, pictures);
    return { kind: 'END', outcome: { state: 'SUCCEEDED', images, credits: run.job.credits } };
  } finally {
    await previews.settle();
  }
}

function judge(run: Run, deps: RunDeps, error: unknown): Verdict {
  const interrupted = judgeInterruption(run, error);
  if (interrupted) return interrupted;
  deps.logger.failed(error, { job: run.job.id, step: run.step }, 'run failed');
  if (error instanceof EngineError && castsDoubt(error)) deps.nodes.suspect(run.node.node);
  const { random, settings } = deps;
  return judgeFailure(run.job, { random, attemptsMax: settings.attemptsMax }, error);
}

/** Whether the node is to be asked how it is; what this side took back says nothing of it. */
function castsDoubt({ fault, code }: EngineError): boolean {
  return fault === 'node' && code !== 'CANCELLED';
}

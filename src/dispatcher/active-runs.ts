import type { ClaimedJob } from '../domains/scheduling/index.ts';
import type { Id } from '../kernel/ids.ts';
import type { ReadyNode } from './held-nodes.ts';
import type { PreparationDeps } from './prepare-run.ts';
import { createPreparations } from './prepare-run.ts';
import type { Interruption, Run } from './run.ts';
import { interrupt } from './run.ts';
import type { RunDeps } from './run-job.ts';
import { giveUp, runJob } from './run-job.ts';

export interface ActiveRunsDeps extends RunDeps, PreparationDeps {
  /** Told whenever a run has ended and its place is free. */
  readonly onEnded: () => void;
}

/** The jobs that this dispatcher holds, from the claim to their end. */
export interface ActiveRuns {
  readonly byJob: ReadonlyMap<Id<'job'>, Run>;
  /** How many U-Net rows an engine of a node has work for, from the claim on. */
  rowsOn(nodeId: Id<'node'>, engineKey: string): number;
  /** Starts what a claim for `node` brings, cancelled already where that is rung before the claim is answered. */
  startClaimed(claiming: Promise<readonly ClaimedJob[]>, node: ReadyNode): Promise<void>;
  /** Stops the job before its next evaluation, if it is one of ours, or is being claimed, and not ending anyway. */
  cancel(jobId: string): void;
  /** Interrupts every run, and those that are only being prepared once they are. */
  interruptAll(interruption: Interruption): void;
  /** Resolves once every run has ended. */
  settled(): Promise<void>;
}

export function createActiveRuns(deps: ActiveRunsDeps): ActiveRuns {
  const byJob = new Map<Id<'job'>, Run>();
  const underway = new Map<Promise<void>, { readonly engine: string; readonly rows: number }>();
  const preparations = createPreparations(deps);
  let interruption: Interruption | null = null;

  async function runToEnd(job: ClaimedJob, node: ReadyNode): Promise<void> {
    // Reaped while this process was cut off, the job can come back to it: the run before is a zombie.
    const earlier = byJob.get(job.id);
    if (earlier) interrupt(earlier, 'LOST');
    const begun = await preparations.prepare(job, node).catch((error: unknown) => giveUp(job, deps, error));
    if (!begun) return;
    if (interruption) interrupt(begun, interruption);
    byJob.set(job.id, begun);
    await runJob(begun, deps).finally(() => {
      // A zombie that ends must not unhook its successor.
      if (byJob.get(job.id) === begun) byJob.delete(job.id);
    });
  }

  function start(job: ClaimedJob, node: ReadyNode): void {
    const done = runToEnd(job, node)
      .catch((error: unknown) => {
        deps.logger.failed(error, { job: job.id }, 'a run could not be ended; its lease will run out');
      })
      .finally(() => {
        underway.delete(done);
        deps.onEnded();
      });
    underway.set(done, { engine: placeOf(node.node.id, job.engineKey), rows: job.rows });
  }

  return {
    byJob,
    rowsOn: (nodeId, engineKey) =>
      [...underway.values()]
        .filter(({ engine }) => engine === placeOf(nodeId, engineKey))
        .reduce((sum, { rows }) => sum + rows, 0),
    async startClaimed(claiming, node) {
      for (const job of await preparations.claimed(claiming)) start(job, node);
    },
    cancel(jobId) {
      const run = byJob.get(jobId as Id<'job'>);
      if (run && !run.isEnding) interrupt(run, 'CANCELLED');
      preparations.cancel(jobId);
    },
    interruptAll(reason) {
      interruption = reason;
      for (const run of byJob.values()) interrupt(run, reason);
    },
    async settled() {
      await Promise.all(underway.keys());
    },
  };
}

function placeOf(nodeId: Id<'node'>, engineKey: string): string {
  return `${nodeId} ${engineKey}`;
}

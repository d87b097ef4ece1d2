import { compilePlan } from '../diffusion/index.ts';
import type { VariantVersion } from '../domains/catalog/index.ts';
import type { ClaimedJob } from '../domains/scheduling/index.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Id } from '../kernel/ids.ts';
import type { ReadyNode } from './held-nodes.ts';
import type { Interruption, Run } from './run.ts';
import { interrupt } from './run.ts';
import type { RunDeps } from './run-job.ts';
import { runJob } from './run-job.ts';

export interface ActiveRunsDeps extends RunDeps {
  /** A variant's version, whoever owns it. */
  readonly findVersion: (id: Id<'version'>) => Promise<VariantVersion | null>;
  /** Told whenever a run has ended and its place is free. */
  readonly onEnded: () => void;
}

/** The jobs that this dispatcher holds, from the claim to their end. */
export interface ActiveRuns {
  readonly byJob: ReadonlyMap<Id<'job'>, Run>;
  /** How many U-Net rows an engine of a node has work for, from the claim on. */
  rowsOn(nodeId: Id<'node'>, engineKey: string): number;
  start(job: ClaimedJob, node: ReadyNode): void;
  /** Stops the job before its next evaluation, if it is one of ours and not ending anyway. */
  cancel(jobId: string): void;
  /** Interrupts every run, and those that are only being prepared once they are. */
  interruptAll(interruption: Interruption): void;
  /** Resolves once every run has ended. */
  settled(): Promise<void>;
}

export function createActiveRuns(deps: ActiveRunsDeps): ActiveRuns {
  const byJob = new Map<Id<'job'>, Run>();
  const underway = new Map<Promise<void>, { readonly engine: string; readonly rows: number }>();
  const versionOf = createVersions(deps.findVersion);
  // Claimed, and not yet in `byJob`; true once a cancel came for it meanwhile.
  const preparing = new Map<string, boolean>();
  let interruption: Interruption | null = null;

  async function runToEnd(job: ClaimedJob, node: ReadyNode): Promise<void> {
    try {
      preparing.set(job.id, false);
      const version = await versionOf(job.versionId);
      const run = toRun(job, node, version);
      if (job.isCancelRequested || preparing.get(job.id)) interrupt(run, 'CANCELLED');
      if (interruption) interrupt(run, interruption);
      // Reaped while this process was cut off, the job can come back to it: the run before is a zombie.
      const earlier = byJob.get(job.id);
      if (earlier) interrupt(earlier, 'LOST');
      byJob.set(job.id, run);
      await runJob(run, deps).finally(() => {
        // A zombie that ends must not unhook its successor.
        if (byJob.get(job.id) === run) byJob.delete(job.id);
      });
    } catch (error) {
      deps.logger.error(
        { job: job.id, reason: messageOf(error) },
        'a run could not be ended; its lease will run out',
      );
    } finally {
      preparing.delete(job.id);
    }
  }

  return {
    byJob,
    rowsOn: (nodeId, engineKey) =>
      [...underway.values()]
        .filter(({ engine }) => engine === placeOf(nodeId, engineKey))
        .reduce((sum, { rows }) => sum + rows, 0),
    start(job, node) {
      const done = runToEnd(job, node).finally(() => {
        underway.delete(done);
        deps.onEnded();
      });
      underway.set(done, { engine: placeOf(node.node.id, job.engineKey), rows: job.rows });
    },
    cancel(jobId) {
      const run = byJob.get(jobId as Id<'job'>);
      if (run && !run.isEnding) interrupt(run, 'CANCELLED');
      if (preparing.has(jobId)) preparing.set(jobId, true);
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

/** Versions never change: each is read once. */
function createVersions(find: ActiveRunsDeps['findVersion']) {
  const known = new Map<Id<'version'>, VariantVersion>();
  return async (id: Id<'version'>): Promise<VariantVersion> => {
    const version = known.get(id) ?? (await find(id));
    if (!version) throw new Error(`The version ${id} of the job is unknown.`);
    known.set(id, version);
    return version;
  };
}

function toRun(job: ClaimedJob, node: ReadyNode, version: VariantVersion): Run {
  const engine = node.engines.get(job.engineKey);
  if (!engine) throw new Error(`The node ${node.node.name} does not serve ${job.engineKey}.`);
  const { manifest, schedulerConfig } = version;
  return {
    job,
    node,
    engine,
    version,
    plan: compilePlan({ manifest, schedulerConfig, settings: job.recipe.settings }),
    step: 0,
    reportedStep: 0,
    previewStep: null,
    preview: null,
    nextSequence: job.nextSequence,
    sequenceMax: job.sequenceMax,
    interruption: null,
    isEnding: false,
    stopped: new AbortController(),
    lost: new AbortController(),
  };
}

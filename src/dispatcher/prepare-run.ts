import { compilePlan } from '../diffusion/index.ts';
import type { VariantVersion } from '../domains/catalog/index.ts';
import type { ClaimedJob } from '../domains/scheduling/index.ts';
import type { Id } from '../kernel/ids.ts';
import type { ReadyNode } from './held-nodes.ts';
import type { Run } from './run.ts';
import { interrupt } from './run.ts';

export interface PreparationDeps {
  /** A variant's version, whoever owns it. */
  readonly findVersion: (id: Id<'version'>) => Promise<VariantVersion | null>;
}

/** Jobs between their claim and their run. */
export interface Preparations {
  /** What a claim brings. A cancel that is rung before the claim is answered is remembered for `prepare`. */
  claimed(claiming: Promise<readonly ClaimedJob[]>): Promise<readonly ClaimedJob[]>;
  /** Makes a claimed job ready to run. Rejects when it cannot be: its version is unknown, or the node serves it no more. */
  prepare(job: ClaimedJob, node: ReadyNode): Promise<Run>;
  /** Sees to it that the job, if it is being claimed or prepared, begins as a cancelled one. */
  cancel(jobId: string): void;
}

export function createPreparations({ findVersion }: PreparationDeps): Preparations {
  const versionOf = createVersions(findVersion);
  // By job: whether it is to be cancelled.
  const underway = new Map<string, boolean>();
  // By claim on its way: what was rung meanwhile, of whatever jobs.
  const rungMeanwhile = new Set<Set<string>>();
  return {
    async claimed(claiming) {
      const rung = new Set<string>();
      rungMeanwhile.add(rung);
      const jobs = await claiming.finally(() => rungMeanwhile.delete(rung));
      for (const { id } of jobs) underway.set(id, rung.has(id));
      return jobs;
    },
    async prepare(job, node) {
      try {
        const run = toRun(job, node, await versionOf(job.versionId));
        if (underway.get(job.id)) interrupt(run, 'CANCELLED');
        return run;
      } finally {
        underway.delete(job.id);
      }
    },
    cancel(jobId) {
      if (underway.has(jobId)) underway.set(jobId, true);
      for (const rung of rungMeanwhile) rung.add(jobId);
    },
  };
}

/** Versions never change: each is read once. */
function createVersions(find: PreparationDeps['findVersion']) {
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
    plan: compilePlan({
      manifest,
      schedulerConfig,
      settings: job.recipe.settings,
      options: job.recipe.settings.samplerOptions,
      promptChunks: job.recipe.prompt.chunks.length,
    }),
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

import { partsOf } from '../../diffusion/index.ts';
import { DomainError, DomainErrors } from '../../kernel/errors.ts';
import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import { reserve } from '../metering/index.ts';
import type { Actor } from '../tenancy/index.ts';
import { requirePermission } from '../tenancy/index.ts';
import type { Appraisal, Work } from './appraise.ts';
import { appraise, refusalByQuota } from './appraise.ts';
import { isIdempotencyKey } from './check-submission.ts';
import type { Choice, Order } from './choose.ts';
import { choose } from './choose.ts';
import { QUEUE_CHANNEL } from './events/doorbell.ts';
import { insertStateEvents } from './events/store.ts';
import type { GenerationDeps } from './deps.ts';
import { claimIdempotencyKey } from './idempotency-store.ts';
import { hashOfMeaning, hashOfRequest, isSameRequest } from './idempotency.ts';
import type { Job, JobSubmission } from './job.ts';
import type { NewJob } from './store.ts';
import { findJob, insertJob, lockSubmits } from './store.ts';

const OPERATION = 'jobSubmit';

/** Queues one job, or returns the one that the same idempotency key stands for. */
export async function submit(deps: GenerationDeps, actor: Actor, submission: JobSubmission): Promise<Job> {
  requirePermission(actor, 'JOBS_WRITE');
  const jobId = deps.newId('job');
  const job = await deps.db.asTenant(actor.tenantId, async (tx) => {
    const choice = await choose(deps, tx, { actor, submission });
    const earlier = await findEarlier(tx, { actor, submission, jobId }, choice);
    if (earlier) return earlier;
    if (choice instanceof DomainError) throw choice;
    const created = await create(deps, tx, { actor, submission, jobId, choice });
    deps.reach('submit.before-commit');
    return created;
  });
  if (job.id === jobId) {
    deps.reach('submit.committed');
    void deps.bell.ring(QUEUE_CHANNEL, job.id);
  }
  return job;
}

interface Submission extends Order {
  readonly jobId: Id<'job'>;
}

interface ChosenSubmission extends Submission {
  readonly choice: Choice;
}

async function create(deps: GenerationDeps, tx: Tx, submission: ChosenSubmission): Promise<Job> {
  const { actor, jobId } = submission;
  const { tenantId } = actor;
  const { plan, work } = accepted(await appraise(deps, tx, submission));
  const { credits } = work;
  await lockSubmits(tx, tenantId);
  const refusal = await refusalByQuota(tx, tenantId, { plan, credits });
  if (refusal) throw refusal;
  const job = await insertJob(tx, toNewJob(submission, work));
  await reserve(tx, tenantId, { jobId, credits });
  await insertStateEvents(tx, [{ tenantId, jobId, sequence: 1, type: 'QUEUED' }]);
  return job;
}

function accepted({ plan, refusals, work }: Appraisal): Pick<Appraisal, 'plan'> & { readonly work: Work } {
  if (refusals.length > 0 || !work) throw new DomainErrors(refusals);
  return { plan, work };
}

function toNewJob({ actor, submission, jobId, choice }: ChosenSubmission, work: Work): NewJob {
  const { variant } = choice;
  const { run, recipe, credits } = work;
  return {
    id: jobId,
    tenantId: actor.tenantId,
    keyId: actor.keyId,
    variantOwnerId: variant.ownerId,
    variantId: variant.id,
    versionId: variant.live.id,
    engineKey: engineKeyOf(variant.name, variant.live.number),
    parts: partsOf(run),
    recipe,
    metadata: submission.metadata ?? [],
    totalSteps: run.totalSteps,
    imageCount: run.imageCount,
    credits,
  };
}

/** What nodes serve the variant's version as: jobs are claimed by it. */
export function engineKeyOf(model: string, version: number): string {
  return `${model}:${version}`;
}

async function findEarlier(
  tx: Tx,
  { actor, submission, jobId }: Submission,
  choice: Choice | DomainError,
): Promise<Job | null> {
  const { tenantId, environment } = actor;
  const key = submission.idempotencyKey ?? null;
  // An impossible key is refused with the rest of the input, before anything is written under it.
  if (key === null || !isIdempotencyKey(key)) return null;
  const request = {
    jobId,
    hash: hashOfRequest(submission),
    meaning: choice instanceof DomainError ? null : hashOfMeaning(submission, choice),
  };
  const earlier = await claimIdempotencyKey(
    tx,
    { tenantId, environment, operation: OPERATION, key },
    request,
  );
  if (earlier === null) return null;
  if (isSameRequest(earlier, request)) return findJob(tx, tenantId, earlier.jobId);
  throw new DomainError('CONFLICT', 'This idempotency key was used for another job in the last 24 hours.', {
    field: ['idempotencyKey'],
  });
}

import { createHash } from 'node:crypto';
import type { Tokenizer } from '../../diffusion/index.ts';
import { compilePlan, resolveSettings, validate } from '../../diffusion/index.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Id } from '../../kernel/ids.ts';
import { unitInterval } from '../../kernel/random.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { Variant } from '../catalog/index.ts';
import { resolveVariant } from '../catalog/index.ts';
import { priceOf, reserve } from '../metering/index.ts';
import type { Actor, Plan } from '../tenancy/index.ts';
import { asTenant, findPlanOf, requirePermission } from '../tenancy/index.ts';
import { checkSubmission, isIdempotencyKey } from './check-submission.ts';
import { QUEUE_CHANNEL } from './events/doorbell.ts';
import { insertStateEvents } from './events/store.ts';
import type { GenerationDeps } from './deps.ts';
import type { Job, JobSettings, JobSubmission } from './job.ts';
import type { Recipe } from './recipe.ts';
import { claimIdempotencyKey, countOpenJobs, findJob, insertJob, lockSubmits } from './store.ts';

const PREVIEW_EVERY_STEPS = 5;
const OPERATION = 'jobSubmit';

/** Queues one job, or returns the one that the same idempotency key stands for. */
export async function submit(deps: GenerationDeps, actor: Actor, submission: JobSubmission): Promise<Job> {
  requirePermission(actor, 'JOBS_WRITE');
  const jobId = deps.newId('job');
  const job = await asTenant(deps.db, actor.tenantId, async (tx) => {
    const earlier = await findEarlier(tx, actor, { submission, jobId });
    if (earlier) return earlier;
    const created = await create(deps, tx, { actor, submission, jobId });
    deps.reach('submit.before-commit');
    return created;
  });
  if (job.id === jobId) {
    deps.reach('submit.committed');
    deps.bell.ring(QUEUE_CHANNEL, job.id);
  }
  return job;
}

interface Submission {
  readonly actor: Actor;
  readonly submission: JobSubmission;
  readonly jobId: Id<'job'>;
}

async function create(deps: GenerationDeps, tx: Tx, { actor, submission, jobId }: Submission): Promise<Job> {
  const { tenantId } = actor;
  const variant = await resolveVariant(tx, tenantId, {
    id: submission.variantId ?? null,
    isUsable: ({ live }) => deps.tokenizers(live.digest) !== null,
  });
  const plan = await planOf(tx, tenantId);
  const settings = chooseSettings(deps, variant, submission);
  const { manifest, schedulerConfig } = variant.live;
  checkSubmission(submission, { settings, findings: validate(manifest, schedulerConfig, settings), plan });

  const work = compilePlan({ manifest, schedulerConfig, settings });
  const credits = priceOf(work.costPerPicture * settings.imageCount, actor.environment);
  await lockSubmits(tx, tenantId);
  await checkQueue(tx, tenantId, plan);
  const job = await insertJob(tx, {
    id: jobId,
    tenantId,
    keyId: actor.keyId,
    variantOwnerId: variant.ownerId,
    variantId: variant.id,
    versionId: variant.live.id,
    engineKey: engineKeyOf(variant.name, variant.live.number),
    recipe: freeze(deps, variant, settings),
    metadata: submission.metadata ?? [],
    totalSteps: work.totalSteps,
    credits,
    createdAt: new Date(deps.clock.nowMs()),
  });
  await reserve(tx, tenantId, { jobId, credits });
  await insertStateEvents(tx, [{ tenantId, jobId, sequence: 1, type: 'QUEUED' }]);
  return job;
}

/** What nodes serve the variant's version as: jobs are claimed by it. */
export function engineKeyOf(model: string, version: number): string {
  return `${model}:${version}`;
}

async function findEarlier(
  tx: Tx,
  actor: Actor,
  { submission, jobId }: Pick<Submission, 'submission' | 'jobId'>,
): Promise<Job | null> {
  const key = submission.idempotencyKey ?? null;
  // An impossible key is refused with the rest of the input, before anything is written under it.
  if (key === null || !isIdempotencyKey(key)) return null;
  const hash = hashOf(submission);
  const earlier = await claimIdempotencyKey(
    tx,
    { tenantId: actor.tenantId, operation: OPERATION, key },
    { jobId, hash },
  );
  if (earlier === null) return null;
  if (!Buffer.from(earlier.hash).equals(hash)) {
    throw new DomainError('CONFLICT', 'This idempotency key was used for another job in the last 24 hours.', {
      field: ['idempotencyKey'],
    });
  }
  return findJob(tx, actor.tenantId, earlier.jobId);
}

/** Two submissions hash alike when every field that was given is the same. */
function hashOf(submission: JobSubmission): Buffer {
  const given = Object.entries(submission).filter(
    ([name, value]) => name !== 'idempotencyKey' && value != null,
  );
  const text = JSON.stringify(given.toSorted(), (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}` : value,
  );
  return createHash('sha256').update(text).digest();
}

function chooseSettings(deps: GenerationDeps, variant: Variant, submission: JobSubmission): JobSettings {
  return {
    ...resolveSettings(variant.live.manifest, { ...submission, seed: submission.seed ?? randomSeed(deps) }),
    previewEverySteps: submission.previewEverySteps ?? PREVIEW_EVERY_STEPS,
    outputFormat: submission.outputFormat ?? 'PNG',
  };
}

/** 32 random bits: all that the noise generator reads of a seed, and short enough to type again. */
function randomSeed({ random }: GenerationDeps): bigint {
  return BigInt(Math.floor(unitInterval(random) * 2 ** 32));
}

function freeze(
  { platformVersion, tokenizers }: GenerationDeps,
  variant: Variant,
  settings: JobSettings,
): Recipe {
  const tokenizer = tokenizers(variant.live.digest);
  if (!tokenizer) throw new Error(`The variant ${variant.name} was chosen without its files.`);
  return {
    platformVersion,
    variant: variant.name,
    versionDigest: variant.live.digest,
    settings,
    prompt: tokenize(tokenizer, settings.prompt),
    negativePrompt: tokenize(tokenizer, settings.negativePrompt),
  };
}

function tokenize(tokenizer: Tokenizer, text: string): Recipe['prompt'] {
  const { ids, tokenCount, isTruncated } = tokenizer.encode(text);
  return { ids: Array.from(ids), tokenCount, isTruncated };
}

async function planOf(tx: Tx, tenantId: Id<'tenant'>): Promise<Plan> {
  const plan = await findPlanOf(tx, tenantId);
  if (!plan) throw new Error(`Tenant ${tenantId} has no plan.`);
  return plan;
}

async function checkQueue(tx: Tx, tenantId: Id<'tenant'>, { queuedJobsMax }: Plan): Promise<void> {
  if ((await countOpenJobs(tx, tenantId)) < queuedJobsMax) return;
  throw new DomainError(
    'QUOTA_EXCEEDED',
    `Your plan allows ${queuedJobsMax} jobs at once. Wait for some to finish.`,
  );
}

import type { Tokenizer } from '../../diffusion/index.ts';
import { compilePlan, partsOf, resolveSettings, validate } from '../../diffusion/index.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Id } from '../../kernel/ids.ts';
import { unitInterval } from '../../kernel/random.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { Variant } from '../catalog/index.ts';
import { resolveVariant } from '../catalog/index.ts';
import { priceOf, reserve } from '../metering/index.ts';
import type { Actor, Plan } from '../tenancy/index.ts';
import { findPlanOf, requirePermission } from '../tenancy/index.ts';
import { checkSubmission, isIdempotencyKey } from './check-submission.ts';
import { QUEUE_CHANNEL } from './events/doorbell.ts';
import { insertStateEvents } from './events/store.ts';
import type { GenerationDeps } from './deps.ts';
import { claimIdempotencyKey } from './idempotency-store.ts';
import { hashOfMeaning, hashOfRequest, isSameRequest } from './idempotency.ts';
import type { Job, JobSettings, JobSubmission } from './job.ts';
import type { Recipe } from './recipe.ts';
import { countOpenJobs, findJob, insertJob, lockSubmits } from './store.ts';

const PREVIEW_EVERY_STEPS = 5;
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

interface Submission {
  readonly actor: Actor;
  readonly submission: JobSubmission;
  readonly jobId: Id<'job'>;
}

/** What a submission comes to once everything that it left open is settled. */
interface Choice {
  readonly variant: Variant;
  readonly settings: JobSettings;
}

/** Returns the refusal of a variant, for a repeated request is answered all the same. */
async function choose(
  deps: GenerationDeps,
  tx: Tx,
  { actor, submission }: Pick<Submission, 'actor' | 'submission'>,
): Promise<Choice | DomainError> {
  try {
    const variant = await resolveVariant(tx, actor.tenantId, {
      id: submission.variantId ?? null,
      isUsable: ({ live }) => deps.tokenizers(live.digest) !== null,
    });
    return { variant, settings: chooseSettings(deps, variant, submission) };
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

async function create(
  deps: GenerationDeps,
  tx: Tx,
  { actor, submission, jobId, choice }: Submission & { readonly choice: Choice },
): Promise<Job> {
  const { tenantId } = actor;
  const { variant, settings } = choice;
  const plan = await planOf(tx, tenantId);
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
    parts: partsOf(work),
    recipe: freeze(deps, variant, settings),
    metadata: submission.metadata ?? [],
    totalSteps: work.totalSteps,
    credits,
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

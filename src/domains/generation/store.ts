import type { Job as JobRow } from '../../generated/prisma/client.ts';
import { Prisma } from '../../generated/prisma/client.ts';
import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { Image, Job, JobErrorCode, JobState, MetadataEntry } from './job.ts';
import { metadataReader } from './metadata.ts';
import type { Recipe } from './recipe.ts';
import { recipeReader, toRecipeJson } from './recipe.ts';

/**
 * Makes submits of one tenant take turns until the transaction ends, so that queue depth and balance
 * are read and used as one. Submits of other tenants are not held up.
 */
export async function lockSubmits(tx: Tx, tenantId: Id<'tenant'>): Promise<void> {
  await tx.$executeRaw`select pg_advisory_xact_lock(hashtextextended(${tenantId}, 0))`;
}

export async function countOpenJobs(tx: Tx, tenantId: Id<'tenant'>): Promise<number> {
  return tx.job.count({ where: { tenantId, state: { in: ['QUEUED', 'RUNNING'] } } });
}

export interface NewJob {
  readonly id: Id<'job'>;
  readonly tenantId: Id<'tenant'>;
  readonly keyId: Id<'key'>;
  readonly variantOwnerId: Id<'tenant'>;
  readonly variantId: Id<'variant'>;
  readonly versionId: Id<'version'>;
  readonly engineKey: string;
  /** Which parts of the engine it calls, sorted: only a node that serves them all is given it. */
  readonly parts: readonly string[];
  readonly recipe: Recipe;
  readonly metadata: readonly MetadataEntry[];
  readonly totalSteps: number;
  readonly imageCount: number;
  readonly credits: number;
}

export async function insertJob(tx: Tx, job: NewJob): Promise<Job> {
  const { recipe, metadata, parts, ...columns } = job;
  const row = await tx.job.create({
    data: {
      ...columns,
      parts: parts.join(' '),
      recipe: toRecipeJson(recipe),
      metadata: metadata.map(({ key, value }) => ({ key, value })),
      lastSequence: 1,
    },
  });
  const { tenantId, id: jobId } = job;
  if (metadata.length > 0) {
    await tx.jobMetadata.createMany({
      data: metadata.map(({ key, value }) => ({ tenantId, key, value, jobId, createdAt: row.createdAt })),
    });
  }
  return toJob(row);
}

/**
 * Returns the job only if it belongs to `tenantId`. A job of another tenant is
 * indistinguishable from one that was never created.
 */
export async function findJob(tx: Tx, tenantId: Id<'tenant'>, id: Id<'job'>): Promise<Job | null> {
  const row = await tx.job.findFirst({ where: { tenantId, id } });
  return row && toJob(row);
}

export interface LockedJob {
  readonly job: Job;
  readonly lastSequence: number;
  readonly hasRun: boolean;
}

/** As `findJob`, and keeps others from changing the job's row until the transaction ends. */
export async function lockJob(tx: Tx, tenantId: Id<'tenant'>, id: Id<'job'>): Promise<LockedJob | null> {
  await tx.$queryRaw`select 1 from job where tenant_id = ${tenantId} and id = ${id} for no key update`;
  const row = await tx.job.findFirst({ where: { tenantId, id } });
  return row && { job: toJob(row), lastSequence: row.lastSequence, hasRun: row.startedAt !== null };
}

/** Ends a queued job. The fence grows, so that a holder of an earlier claim stays out. */
export async function markCancelled(tx: Tx, job: Job, credits: number): Promise<Job> {
  const [row] = await tx.$queryRaw<{ finished_at: Date; last_sequence: number }[]>`
    update job set state = 'CANCELLED', fence = fence + 1, last_sequence = last_sequence + 1,
      finished_at = clock_timestamp(), credits = ${credits},
      cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
    where tenant_id = ${job.tenantId} and id = ${job.id}
    returning finished_at, last_sequence`;
  return { ...job, state: 'CANCELLED', credits, finishedAt: row?.finished_at ?? null };
}

/** Asks whoever runs the job to stop; asking twice changes nothing. */
export async function requestCancel(tx: Tx, tenantId: Id<'tenant'>, id: Id<'job'>): Promise<void> {
  await tx.$executeRaw`
    update job set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
    where tenant_id = ${tenantId} and id = ${id} and state = 'RUNNING'`;
}

export async function findJobs(
  tx: Tx,
  tenantId: Id<'tenant'>,
  ids: readonly Id<'job'>[],
): Promise<readonly Job[]> {
  const rows = await tx.job.findMany({ where: { tenantId, id: { in: [...ids] } } });
  return rows.map(toJob);
}

export async function listImages(
  tx: Tx,
  tenantId: Id<'tenant'>,
  jobIds: readonly Id<'job'>[],
): Promise<readonly Image[]> {
  const rows = await tx.image.findMany({
    where: { tenantId, jobId: { in: [...jobIds] } },
    orderBy: [{ jobId: 'asc' }, { position: 'asc' }],
  });
  return rows.map((row) => ({
    id: row.id as Id<'image'>,
    tenantId,
    jobId: row.jobId as Id<'job'>,
    index: row.position,
    width: row.width,
    height: row.height,
    seed: BigInt(row.seed.toFixed(0)),
    format: row.format,
    bytes: row.bytes,
    sha256: row.sha256,
    pixelSha256: row.pixelSha256,
    objectKey: row.objectKey,
    thumbnailKey: row.thumbnailKey,
    expiredAt: row.expiredAt,
  }));
}

export async function insertImages(tx: Tx, images: readonly Image[]): Promise<void> {
  await tx.image.createMany({
    data: images.map(({ index, seed, ...image }) => ({
      ...image,
      position: index,
      seed: new Prisma.Decimal(seed.toString()),
    })),
  });
}

export interface FinalState {
  readonly tenantId: Id<'tenant'>;
  readonly id: Id<'job'>;
  readonly fence: number;
  readonly state: Extract<JobState, 'SUCCEEDED' | 'FAILED' | 'CANCELLED'>;
  readonly step: number;
  readonly credits: number;
  readonly lastSequence: number;
  readonly error: { readonly code: JobErrorCode; readonly message: string } | null;
}

/** Ends a running job for the holder of `fence`; false means that somebody else holds it now. */
export async function markFinished(tx: Tx, final: FinalState): Promise<boolean> {
  const changed = await tx.$executeRaw`
    update job set state = ${final.state}::job_state, step = ${final.step}, credits = ${final.credits},
      last_sequence = ${final.lastSequence}, holder = null, lease_until = null,
      error_code = ${final.error?.code ?? null}, error_message = ${final.error?.message ?? null},
      finished_at = clock_timestamp()
    where tenant_id = ${final.tenantId} and id = ${final.id} and fence = ${final.fence} and state = 'RUNNING'`;
  return changed === 1;
}

function toJob(row: JobRow): Job {
  return {
    id: row.id as Id<'job'>,
    tenantId: row.tenantId as Id<'tenant'>,
    state: row.state,
    variantId: row.variantId as Id<'variant'>,
    readSettings: recipeReader(row.recipe),
    readMetadata: metadataReader(row.metadata),
    step: row.step,
    totalSteps: row.totalSteps,
    createdAt: row.createdAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    error:
      row.errorCode === null
        ? null
        : { code: row.errorCode as JobErrorCode, message: row.errorMessage ?? '' },
    credits: row.credits,
  };
}

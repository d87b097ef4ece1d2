import type { Id } from '../../../kernel/ids.ts';
import type { Tx } from '../../../platform/db/index.ts';
import type { JobEventType, ProgressEventType, StateEventType } from '../event.ts';
import type { JobError, JobErrorCode, JobState } from '../job.ts';

/** A state event about to be written, under a number that its writer was given. */
export interface NewStateEvent {
  readonly tenantId: Id<'tenant'>;
  readonly jobId: Id<'job'>;
  readonly sequence: number;
  readonly type: StateEventType;
  readonly step?: number;
  readonly imageId?: Id<'image'>;
  readonly error?: JobError;
}

export async function insertStateEvents(tx: Tx, events: readonly NewStateEvent[]): Promise<void> {
  await tx.event.createMany({
    data: events.map(({ error, ...event }) => ({
      ...event,
      errorCode: error?.code ?? null,
      errorMessage: error?.message ?? null,
    })),
  });
}

/** Progress about to be written by the holder of `fence`. */
export interface NewProgress {
  readonly tenantId: Id<'tenant'>;
  readonly jobId: Id<'job'>;
  readonly fence: number;
  readonly sequence: number;
  readonly type: ProgressEventType;
  readonly step: number;
  readonly preview: string | null;
}

/** One statement for the progress of many jobs. Rows of jobs that their writer no longer holds are left out. */
export async function insertProgress(tx: Tx, rows: readonly NewProgress[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.$executeRaw`
    insert into job_progress (tenant_id, job_id, sequence, type, step, preview)
    select p.tenant_id, p.job_id, p.sequence, p.type::progress_type, p.step, p.preview
    from unnest(
      ${rows.map((row) => row.tenantId)}::text[], ${rows.map((row) => row.jobId)}::text[],
      ${rows.map((row) => row.fence)}::int[], ${rows.map((row) => row.sequence)}::int[],
      ${rows.map((row) => row.type)}::text[],
      ${rows.map((row) => row.step)}::int[], ${rows.map((row) => row.preview)}::text[]
    ) as p (tenant_id, job_id, fence, sequence, type, step, preview)
    join job on job.tenant_id = p.tenant_id and job.id = p.job_id
      and job.fence = p.fence and job.state = 'RUNNING'
    on conflict do nothing`;
}

/** An event as it stands in the database. */
export interface EventRow {
  readonly jobId: Id<'job'>;
  readonly sequence: number;
  readonly type: Exclude<JobEventType, 'GAP'>;
  readonly at: Date;
  readonly step: number | null;
  readonly preview: string | null;
  readonly imageId: Id<'image'> | null;
  readonly error: JobError | null;
}

interface RawRow {
  readonly sequence: number;
  readonly type: Exclude<JobEventType, 'GAP'>;
  readonly at: Date;
  readonly step: number | null;
  readonly preview: string | null;
  readonly image_id: Id<'image'> | null;
  readonly error_code: JobErrorCode | null;
  readonly error_message: string | null;
}

/** Which events of a job. */
export interface Above {
  readonly jobId: Id<'job'>;
  readonly after: number;
}

/** The first `limit` state events and progress of one job above `after`, in order of their numbers. */
export async function listEvents(
  tx: Tx,
  tenantId: Id<'tenant'>,
  { jobId, after, limit }: Above & { readonly limit: number },
): Promise<readonly EventRow[]> {
  const rows = await tx.$queryRaw<RawRow[]>`
    select sequence, type::text, at, step, null as preview, image_id, error_code, error_message
    from event where tenant_id = ${tenantId} and job_id = ${jobId} and sequence > ${after}
    union all
    select sequence, type::text, at, step, preview, null, null, null
    from job_progress where tenant_id = ${tenantId} and job_id = ${jobId} and sequence > ${after}
    order by sequence limit ${limit}`;
  return rows.map((row) => toEventRow(jobId, row));
}

/** Every state event of one job above `after`, and of its progress the newest of each type, in order. */
export async function listLatestEvents(
  tx: Tx,
  tenantId: Id<'tenant'>,
  { jobId, after }: Above,
): Promise<readonly EventRow[]> {
  const rows = await tx.$queryRaw<RawRow[]>`
    select sequence, type::text, at, step, null as preview, image_id, error_code, error_message
    from event where tenant_id = ${tenantId} and job_id = ${jobId} and sequence > ${after}
    union all
    select * from (
      select distinct on (job_progress.type) sequence, type::text, at, step, preview, null, null, null
      from job_progress where tenant_id = ${tenantId} and job_id = ${jobId} and sequence > ${after}
      order by job_progress.type, sequence desc
    ) newest
    order by sequence`;
  return rows.map((row) => toEventRow(jobId, row));
}

/** The highest number under which something of a job is written; 0 when nothing is. */
export async function findLastSequence(tx: Tx, tenantId: Id<'tenant'>, jobId: Id<'job'>): Promise<number> {
  const [row] = await tx.$queryRaw<{ last: number | null }[]>`
    select greatest(
      (select max(sequence) from event where tenant_id = ${tenantId} and job_id = ${jobId}),
      (select max(sequence) from job_progress where tenant_id = ${tenantId} and job_id = ${jobId})
    ) as last`;
  return row?.last ?? 0;
}

function toEventRow(jobId: Id<'job'>, row: RawRow): EventRow {
  return {
    jobId,
    sequence: row.sequence,
    type: row.type,
    at: row.at,
    step: row.step,
    preview: row.preview,
    imageId: row.image_id,
    error: row.error_code === null ? null : { code: row.error_code, message: row.error_message ?? '' },
  };
}

/** The state events of several jobs, each job's in order. */
export async function listStateEvents(
  tx: Tx,
  tenantId: Id<'tenant'>,
  jobIds: readonly Id<'job'>[],
): Promise<readonly EventRow[]> {
  const rows = await tx.event.findMany({
    where: { tenantId, jobId: { in: [...jobIds] } },
    orderBy: [{ jobId: 'asc' }, { sequence: 'asc' }],
  });
  return rows.map((row) => ({
    jobId: row.jobId as Id<'job'>,
    sequence: row.sequence,
    type: row.type,
    at: row.at,
    step: row.step,
    preview: null,
    imageId: row.imageId as Id<'image'> | null,
    error:
      row.errorCode === null
        ? null
        : { code: row.errorCode as JobErrorCode, message: row.errorMessage ?? '' },
  }));
}

export interface EventHead {
  readonly totalSteps: number;
  /** The highest number given out; of a running job, the end of its holder's block. */
  readonly lastSequence: number;
  readonly state: JobState;
}

export async function findEventHead(
  tx: Tx,
  tenantId: Id<'tenant'>,
  jobId: Id<'job'>,
): Promise<EventHead | null> {
  return tx.job.findFirst({
    where: { tenantId, id: jobId },
    select: { totalSteps: true, lastSequence: true, state: true },
  });
}

export async function listTotalSteps(
  tx: Tx,
  tenantId: Id<'tenant'>,
  jobIds: readonly Id<'job'>[],
): Promise<ReadonlyMap<Id<'job'>, number>> {
  const rows = await tx.job.findMany({
    where: { tenantId, id: { in: [...jobIds] } },
    select: { id: true, totalSteps: true },
  });
  return new Map(rows.map(({ id, totalSteps }) => [id as Id<'job'>, totalSteps]));
}

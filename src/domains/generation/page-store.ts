import { Prisma } from '../../generated/prisma/client.ts';
import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { Job, JobFilter } from './job.ts';
import { findJobs } from './store.ts';

/** A job's place in the list: by the time it was made, ties by id. */
export type Place = Pick<Job, 'id' | 'createdAt'>;

export interface PageQuery {
  readonly tenantId: Id<'tenant'>;
  readonly filter: JobFilter;
  /** Only jobs that come after this place, which is to say older ones. */
  readonly after: Place | null;
  readonly limit: number;
}

/**
 * Newest first. A job that is added while pages are read has a later time than any that was listed, so
 * it shifts none. Every filter has an index in this order: a page costs what it returns, however many
 * jobs the tenant has.
 */
export async function listJobs(tx: Tx, query: PageQuery): Promise<readonly Job[]> {
  const found = await tx.$queryRaw<{ id: Id<'job'> }[]>(pageSql(query));
  const ids = found.map(({ id }) => id);
  const jobs = new Map((await findJobs(tx, query.tenantId, ids)).map((job) => [job.id, job]));
  return ids.flatMap((id) => jobs.get(id) ?? []);
}

/** The statement behind a page, for whoever wants to see how it is planned. */
export function pageSql(query: PageQuery): Prisma.Sql {
  const { states } = query.filter;
  if (!states) return placesSql(query, []);
  // A page of each state, since no index has several of them in order. Of no state at all: nothing.
  const pages = [...new Set(states)].map((state) => {
    const places = placesSql(query, [Prisma.sql`job.state = ${state}::job_state`]);
    return Prisma.sql`(${places})`;
  });
  const union = pages.length > 0 ? Prisma.join(pages, ' union all ') : placesSql(query, [Prisma.sql`false`]);
  return Prisma.sql`
    select id, created_at from (${union}) as pages order by created_at desc, id desc limit ${query.limit}`;
}

function placesSql({ tenantId, filter, after, limit }: PageQuery, more: readonly Prisma.Sql[]): Prisma.Sql {
  const { from, id, createdAt } = sourceOf(filter);
  const conditions = [
    Prisma.sql`job.tenant_id = ${tenantId}`,
    ...more,
    ...conditionsOf(filter),
    ...given(after, (place) => Prisma.sql`(${createdAt}, ${id}) < (${place.createdAt}, ${place.id})`),
    ...given(filter.createdAfter, (at) => Prisma.sql`${createdAt} >= ${at}`),
    ...given(filter.createdBefore, (at) => Prisma.sql`${createdAt} < ${at}`),
  ];
  return Prisma.sql`
    select ${id} as id, ${createdAt} as created_at from ${from} where ${Prisma.join(conditions, ' and ')}
    order by ${createdAt} desc, ${id} desc limit ${limit}`;
}

/** Where places are read: with a metadata filter from the table that has them in order beside the entry. */
function sourceOf({ metadata }: JobFilter) {
  if (!metadata) {
    return { from: Prisma.sql`job`, id: Prisma.sql`job.id`, createdAt: Prisma.sql`job.created_at` };
  }
  return {
    from: Prisma.sql`job_metadata join job
      on job.tenant_id = job_metadata.tenant_id and job.id = job_metadata.job_id`,
    id: Prisma.sql`job_metadata.job_id`,
    createdAt: Prisma.sql`job_metadata.created_at`,
  };
}

function conditionsOf({ variantId, metadata }: JobFilter): readonly Prisma.Sql[] {
  return [
    ...given(variantId, (id) => Prisma.sql`job.variant_id = ${id}`),
    ...given(
      metadata,
      ({ key, value }) => Prisma.sql`job_metadata.key = ${key} and job_metadata.value = ${value}`,
    ),
  ];
}

function given<T>(value: T | null | undefined, toSql: (value: T) => Prisma.Sql): readonly Prisma.Sql[] {
  return value === null || value === undefined ? [] : [toSql(value)];
}

import { DomainError } from '../../kernel/errors.ts';
import type { Id } from '../../kernel/ids.ts';
import { parseId } from '../../kernel/ids.ts';
import type { Page } from '../../kernel/pages.ts';
import { PAGE_SIZE_MAX, parseCursor, toCursor } from '../../kernel/pages.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { Actor } from '../tenancy/index.ts';
import { requirePermission } from '../tenancy/index.ts';
import type { GenerationDeps } from './deps.ts';
import type { Job, JobFilter } from './job.ts';
import type { Place } from './page-store.ts';
import { listJobs } from './page-store.ts';
import { findJob } from './store.ts';

export interface PageRequest {
  readonly first: number;
  /** A cursor of this list, or null for its beginning. */
  readonly after: string | null;
  readonly filter: JobFilter;
}

/** A cursor names the last job of a page: pages stay exact while newer jobs are added. */
export async function list(
  { db }: Pick<GenerationDeps, 'db'>,
  actor: Actor,
  { first, after, filter }: PageRequest,
): Promise<Page<Job>> {
  requirePermission(actor, 'JOBS_READ');
  if (!Number.isInteger(first) || first < 1 || first > PAGE_SIZE_MAX) {
    throw new DomainError('BAD_USER_INPUT', `"first" must lie between 1 and ${PAGE_SIZE_MAX}.`, {
      field: ['first'],
    });
  }
  const { tenantId } = actor;
  return db.asTenant(tenantId, async (tx) => {
    const place = after === null ? null : await placeOf(tx, tenantId, after);
    const found = await listJobs(tx, { tenantId, filter, after: place, limit: first + 1 });
    const nodes = found.slice(0, first);
    const last = nodes.at(-1);
    return { nodes, hasNextPage: found.length > first, endCursor: last ? toCursor(last.id) : null };
  });
}

/** Another tenant's cursor is no cursor: its job is looked for among the tenant's own. */
async function placeOf(tx: Tx, tenantId: Id<'tenant'>, cursor: string): Promise<Place> {
  const id = parseId('job', parseCursor(cursor) ?? '');
  const job = id && (await findJob(tx, tenantId, id));
  if (job) return job;
  throw new DomainError('BAD_USER_INPUT', '"after" is not a cursor of this list.', { field: ['after'] });
}

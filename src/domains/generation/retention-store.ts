import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { Attempt } from './image-keys.ts';

/** An expired picture whose objects may still be stored. */
export interface DoomedImage {
  readonly tenantId: Id<'tenant'>;
  readonly id: Id<'image'>;
  readonly objectKey: string;
  readonly thumbnailKey: string;
}

/** Marks up to `limit` pictures that their tenants want to keep no longer, each tenant's oldest first; tells how many. */
export async function markExpired(tx: Tx, limit: number): Promise<number> {
  return tx.$executeRaw`
    update image set expired_at = clock_timestamp() where (tenant_id, id) in (
      select old.tenant_id, old.id
      from tenant
      cross join lateral (
        select tenant_id, id from image
        where image.tenant_id = tenant.id and expired_at is null
          and created_at < clock_timestamp() - make_interval(days => tenant.retention_days)
        order by created_at
        limit ${limit}
        for update skip locked
      ) old
      where tenant.retention_days is not null
      limit ${limit}
    )`;
}

/** Up to `limit` marked pictures whose objects are not known to be deleted, the longest marked first. */
export async function listDoomed(tx: Tx, limit: number): Promise<readonly DoomedImage[]> {
  return tx.$queryRaw<DoomedImage[]>`
    select tenant_id as "tenantId", id, object_key as "objectKey", thumbnail_key as "thumbnailKey"
    from image where expired_at is not null and objects_deleted_at is null
    order by expired_at limit ${limit}`;
}

/** Writes down that nothing is stored any more of `images`. */
export async function markDeleted(tx: Tx, images: readonly DoomedImage[]): Promise<void> {
  await tx.$executeRaw`
    update image set objects_deleted_at = clock_timestamp()
    from unnest(${images.map(({ tenantId }) => tenantId)}::text[], ${images.map(({ id }) => id)}::text[])
      as gone (tenant_id, id)
    where image.tenant_id = gone.tenant_id and image.id = gone.id`;
}

/** An object, and the attempt that stored it. */
export interface StoredObject extends Attempt {
  readonly key: string;
}

/**
 * Those of `objects` that no picture leads to, nor will: their attempt is over, for the job is not run under their
 * fence. What belongs to a job that this database does not know is left alone; it may be another installation's.
 */
export async function listUnnamed(tx: Tx, objects: readonly StoredObject[]): Promise<readonly string[]> {
  const rows = await tx.$queryRaw<{ key: string }[]>`
    select stored.key
    from unnest(
      ${objects.map(({ tenantId }) => tenantId)}::text[], ${objects.map(({ jobId }) => jobId)}::text[],
      ${objects.map(({ fence }) => fence)}::int[], ${objects.map(({ key }) => key)}::text[]
    ) as stored (tenant_id, job_id, fence, key)
    join job on job.tenant_id = stored.tenant_id and job.id = stored.job_id
    where not (job.state = 'RUNNING' and job.fence = stored.fence)
      and not exists (
        select from image
        where image.tenant_id = stored.tenant_id and image.job_id = stored.job_id
          and image.objects_deleted_at is null
          and stored.key in (image.object_key, image.thumbnail_key)
      )`;
  return rows.map(({ key }) => key);
}

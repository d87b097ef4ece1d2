import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { KeyEnvironment, Permission } from './actor.ts';
import { toPermissions } from './store.ts';

/** A key as its operator sees it: nothing here opens a door. */
export interface ListedKey {
  readonly id: Id<'key'>;
  readonly tenantId: Id<'tenant'>;
  readonly name: string;
  readonly prefix: string;
  readonly last4: string;
  readonly environment: KeyEnvironment;
  readonly permissions: readonly Permission[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** When the newest job that was ordered with it was made. Nothing is written down of requests that only read. */
  readonly lastJobAt: Date | null;
}

interface KeyRow extends Omit<ListedKey, 'permissions'> {
  readonly scopes: readonly string[];
}

/** The keys of one tenant, or with null those of all, oldest first; for `darkroom_system`. */
export async function listKeys(tx: Tx, tenantId: Id<'tenant'> | null): Promise<readonly ListedKey[]> {
  const rows = await tx.$queryRaw<KeyRow[]>`
    select k.id, k.tenant_id as "tenantId", k.name, k.prefix, k.last4, k.environment, k.scopes,
      k.created_at as "createdAt", k.expires_at as "expiresAt", k.revoked_at as "revokedAt",
      newest.created_at as "lastJobAt"
    from api_key k
    -- Along the index of a tenant's jobs by time: a key in use is met at once.
    left join lateral (
      select created_at from job where tenant_id = k.tenant_id and key_id = k.id
      order by created_at desc, id desc limit 1
    ) newest on true
    where ${tenantId}::text is null or k.tenant_id = ${tenantId}
    order by k.created_at, k.id`;
  return rows.map(({ scopes, ...row }) => ({ ...row, permissions: toPermissions(scopes) }));
}

export interface RevokedKey {
  readonly id: Id<'key'>;
  readonly tenantId: Id<'tenant'>;
  readonly revokedAt: Date;
  /** Whether it had been revoked before: then nothing was changed, and `revokedAt` is the time of then. */
  readonly wasRevoked: boolean;
}

/** Ends a key's force; null when there is no such key. Two at the same moment agree on the time. */
export async function revokeKeyById(tx: Tx, id: Id<'key'>): Promise<RevokedKey | null> {
  const [row] = await tx.$queryRaw<RevokedKey[]>`
    with before as (select tenant_id, id, revoked_at from api_key where id = ${id} for update)
    update api_key k set revoked_at = coalesce(before.revoked_at, clock_timestamp())
    from before where k.tenant_id = before.tenant_id and k.id = before.id
    returning k.id, k.tenant_id as "tenantId", k.revoked_at as "revokedAt",
      before.revoked_at is not null as "wasRevoked"`;
  return row ?? null;
}

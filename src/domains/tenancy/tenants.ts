import { DomainError } from '../../kernel/errors.ts';
import type { Actor } from './actor.ts';
import { requirePermission } from './actor.ts';
import type { ApiKey, Plan, Tenant } from './store.ts';
import { findKey, findPlanOf, findTenant } from './store.ts';
import type { TenantDb } from './tenant-db.ts';

/** What a caller may know of itself. */
export interface Viewer {
  readonly tenant: Tenant;
  readonly key: ApiKey;
  readonly plan: Plan;
}

export interface TenantsDeps {
  readonly db: TenantDb;
}

/** What a tenant may know of itself. */
export function createTenants({ db }: TenantsDeps) {
  return {
    /** Rejects with FORBIDDEN, and with NOT_FOUND when the tenant has just gone. */
    async viewer(actor: Actor): Promise<Viewer> {
      requirePermission(actor, 'TENANT_READ');
      return db.asTenant(actor.tenantId, async (tx) => {
        const tenant = await findTenant(tx, actor.tenantId);
        const key = await findKey(tx, actor.tenantId, actor.keyId);
        const plan = await findPlanOf(tx, actor.tenantId);
        if (!tenant || !key || !plan) throw new DomainError('NOT_FOUND', 'This tenant no longer exists.');
        return { tenant, key, plan };
      });
    },
  };
}

export type Tenants = ReturnType<typeof createTenants>;

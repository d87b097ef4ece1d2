import { DomainError } from '../../kernel/errors.ts';
import type { Id } from '../../kernel/ids.ts';
import type { Db, Tx } from '../../platform/db/index.ts';
import type { Actor } from '../tenancy/index.ts';
import { asTenant, requirePermission } from '../tenancy/index.ts';
import { listVariants } from './store.ts';
import type { Variant } from './variant.ts';

export interface CatalogDeps {
  /** A pool of `darkroom_app`. */
  readonly db: Db;
}

export type Catalog = ReturnType<typeof createCatalog>;

/** The variants that a tenant may use. */
export function createCatalog({ db }: CatalogDeps) {
  return {
    async list(actor: Actor): Promise<readonly Variant[]> {
      requirePermission(actor, 'VARIANTS_READ');
      return asTenant(db, actor.tenantId, (tx) => listVariants(tx, actor.tenantId));
    },

    async find(actor: Actor, id: string): Promise<Variant | null> {
      const variants = await this.list(actor);
      return variants.find((variant) => variant.id === id) ?? null;
    },
  };
}

/**
 * The variant that a submission means, inside its transaction: the one named, or the platform's
 * oldest when none is. Rejects with NOT_FOUND on the field `variantId`, in the same words for a
 * variant that does not exist and for one that is not the tenant's.
 */
export async function resolveVariant(tx: Tx, tenantId: Id<'tenant'>, id: string | null): Promise<Variant> {
  const variants = await listVariants(tx, tenantId);
  const variant = id === null ? variants[0] : variants.find((each) => each.id === id);
  if (!variant) {
    throw new DomainError('NOT_FOUND', 'There is no such variant. `variants` lists the ones you may use.', {
      field: ['variantId'],
    });
  }
  return variant;
}

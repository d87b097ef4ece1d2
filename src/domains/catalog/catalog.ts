import type { SchedulerDescription } from '../../diffusion/index.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { Actor, TenantDb } from '../tenancy/index.ts';
import { requirePermission } from '../tenancy/index.ts';
import type { SchedulerFit } from './schedulers.ts';
import { fitSchedulers, listSchedulers } from './schedulers.ts';
import { listVariants } from './store.ts';
import type { Variant, VariantVersion } from './variant.ts';

export interface CatalogDeps {
  readonly db: TenantDb;
}

export type Catalog = ReturnType<typeof createCatalog>;

/** The variants that a tenant may use. */
export function createCatalog({ db }: CatalogDeps) {
  async function list(actor: Actor): Promise<readonly Variant[]> {
    requirePermission(actor, 'VARIANTS_READ');
    return db.asTenant(actor.tenantId, (tx) => listVariants(tx, actor.tenantId));
  }

  return {
    /** The platform's public variants and the tenant's own. Rejects with FORBIDDEN. */
    list,

    /** The schedulers that there are, whatever the variant. Rejects with FORBIDDEN. */
    schedulers(actor: Actor): readonly SchedulerDescription[] {
      requirePermission(actor, 'VARIANTS_READ');
      return listSchedulers();
    },

    /** Every scheduler, and what keeps a version that the actor was given from using it. */
    fits: (version: VariantVersion): readonly SchedulerFit[] => fitSchedulers(version),

    /** Null for a variant that is not there, or not for this tenant. Rejects with FORBIDDEN. */
    async find(actor: Actor, id: string): Promise<Variant | null> {
      const variants = await list(actor);
      return variants.find((variant) => variant.id === id) ?? null;
    },
  };
}

export interface VariantChoice {
  /** Null: the platform's oldest of those that are usable. */
  readonly id: string | null;
  /** Whether this host has what it takes to submit a job for the variant. */
  readonly isUsable: (variant: Variant) => boolean;
}

/**
 * The variant that a submission means, inside its transaction. Rejects with UNAVAILABLE for one whose
 * files this host lacks, and with NOT_FOUND on the field `variantId`, in the same words for a
 * variant that does not exist and for one that is not the tenant's.
 */
export async function resolveVariant(
  tx: Tx,
  tenantId: Id<'tenant'>,
  { id, isUsable }: VariantChoice,
): Promise<Variant> {
  const variants = await listVariants(tx, tenantId);
  const variant = variants.find(id === null ? isUsable : (each) => each.id === id);
  if (!variant) {
    throw new DomainError('NOT_FOUND', 'There is no such variant. `variants` lists the ones you may use.', {
      field: ['variantId'],
    });
  }
  if (!isUsable(variant)) {
    throw new DomainError(
      'UNAVAILABLE',
      'The files of this variant are not on this host. Choose another variant.',
    );
  }
  return variant;
}

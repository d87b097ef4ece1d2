import type { Id } from '../../kernel/ids.ts';
import { DomainError } from '../../kernel/errors.ts';

/** What a key may do. A key's scopes are a subset of these, under the same names. */
export const PERMISSIONS = [
  'JOBS_READ',
  'JOBS_WRITE',
  'VARIANTS_READ',
  'TENANT_READ',
  'PLATFORM_READ',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** What a key may do that was given no scopes: all that is its tenant's, and nothing that is the platform's. */
export const TENANT_PERMISSIONS: readonly Permission[] = PERMISSIONS.filter(
  (permission) => permission !== 'PLATFORM_READ',
);

export const KEY_ENVIRONMENTS = ['LIVE', 'TEST'] as const;
export type KeyEnvironment = (typeof KEY_ENVIRONMENTS)[number];

/** Who is calling, on behalf of which tenant, with which rights. Made by `access.authenticate` only. */
export interface Actor {
  readonly tenantId: Id<'tenant'>;
  readonly keyId: Id<'key'>;
  readonly environment: KeyEnvironment;
  readonly permissions: ReadonlySet<Permission>;
}

/** Throws FORBIDDEN unless `actor` holds `permission`. */
export function requirePermission(actor: Actor, permission: Permission): void {
  if (!actor.permissions.has(permission)) {
    throw new DomainError('FORBIDDEN', `This key lacks the scope ${permission}.`);
  }
}

import type { Id } from '../../kernel/ids.ts';
import type { Db, Tx } from '../../platform/db/index.ts';
import type { KeyEnvironment, Permission } from './actor.ts';
import { PERMISSIONS } from './actor.ts';

export const TENANT_STATES = ['ACTIVE', 'SUSPENDED', 'DELETING'] as const;
export type TenantState = (typeof TENANT_STATES)[number];

/** What a tenant may do at most. */
export interface Plan {
  readonly id: Id<'plan'>;
  readonly name: string;
  /** Jobs that may wait or run at once. */
  readonly queuedJobsMax: number;
  readonly megapixelsMax: number;
  readonly stepsMax: number;
}

/** A customer of the platform. */
export interface Tenant {
  readonly id: Id<'tenant'>;
  readonly name: string;
  readonly slug: string;
  readonly state: TenantState;
  /** For how long pictures are kept; null: for ever. */
  readonly retentionDays: number | null;
  readonly createdAt: Date;
}

/** What may be told of a key; its text is shown once, when it is made. */
export interface ApiKey {
  readonly id: Id<'key'>;
  readonly name: string;
  readonly prefix: string;
  readonly last4: string;
  readonly environment: KeyEnvironment;
  readonly permissions: readonly Permission[];
  readonly createdAt: Date;
}

export interface KeyRecord {
  readonly tenantId: Id<'tenant'>;
  readonly tenantState: TenantState;
  readonly keyId: Id<'key'>;
  readonly environment: KeyEnvironment;
  readonly permissions: readonly Permission[];
}

interface KeyRow {
  readonly tenant_id: Id<'tenant'>;
  readonly tenant_state: TenantState;
  readonly id: Id<'key'>;
  readonly environment: KeyEnvironment;
  readonly scopes: readonly string[];
}

/**
 * The key with this hash, unless it is revoked or has expired. Takes no tenant: it is what finds
 * one. Runs as `darkroom_auth`, who may read these columns and no others.
 */
export async function findKeyByHash(db: Db, hash: Uint8Array): Promise<KeyRecord | null> {
  const rows = await db.$queryRaw<KeyRow[]>`
    select k.tenant_id, t.state as tenant_state, k.id, k.environment, k.scopes
    from api_key k
    join tenant t on t.id = k.tenant_id
    where k.hash = ${hash}
      and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > clock_timestamp())`;
  const [row] = rows;
  if (!row) return null;
  return {
    tenantId: row.tenant_id,
    tenantState: row.tenant_state,
    keyId: row.id,
    environment: row.environment,
    permissions: toPermissions(row.scopes),
  };
}

/** A scope that this version does not know grants nothing. */
export function toPermissions(scopes: readonly string[]): readonly Permission[] {
  return PERMISSIONS.filter((permission) => scopes.includes(permission));
}

export async function findTenant(db: Db | Tx, tenantId: Id<'tenant'>): Promise<Tenant | null> {
  const row = await db.tenant.findUnique({ where: { id: tenantId } });
  if (!row) return null;
  const { name, slug, state, retentionDays, createdAt } = row;
  return { id: tenantId, name, slug, state, retentionDays, createdAt };
}

/** Keeps the tenant's pictures for `days` from now on, or with null for ever. False when there is no such tenant. */
export async function setRetention(tx: Tx, tenantId: Id<'tenant'>, days: number | null): Promise<boolean> {
  const { count } = await tx.tenant.updateMany({ where: { id: tenantId }, data: { retentionDays: days } });
  return count === 1;
}

export async function findTenantBySlug(db: Db | Tx, slug: string): Promise<Tenant | null> {
  const row = await db.tenant.findUnique({ where: { slug } });
  return row && { ...row, id: row.id as Id<'tenant'> };
}

export async function findPlanOf(db: Db | Tx, tenantId: Id<'tenant'>): Promise<Plan | null> {
  const row = await db.tenant.findUnique({ where: { id: tenantId }, include: { plan: true } });
  return row && { ...row.plan, id: row.plan.id as Id<'plan'> };
}

export async function findKey(db: Db | Tx, tenantId: Id<'tenant'>, id: Id<'key'>): Promise<ApiKey | null> {
  const row = await db.apiKey.findUnique({
    where: { tenantId_id: { tenantId, id } },
    // The hash is not the app's to read.
    omit: { hash: true },
  });
  if (!row) return null;
  const { name, prefix, last4, environment, createdAt } = row;
  return { id, name, prefix, last4, environment, createdAt, permissions: toPermissions(row.scopes) };
}

export interface NewKey extends ApiKey {
  readonly tenantId: Id<'tenant'>;
  readonly hash: Uint8Array<ArrayBuffer>;
}

/** Stores a key; one with the same hash is left as it is, since the same text is the same key. */
export async function insertKey(tx: Tx, key: NewKey): Promise<void> {
  const { permissions, ...row } = key;
  await tx.apiKey.createMany({ data: [{ ...row, scopes: [...permissions] }], skipDuplicates: true });
}

/** Takes no tenant: whoever has a key's text may end it. */
export async function revokeKeyByHash(tx: Tx, hash: Uint8Array<ArrayBuffer>): Promise<void> {
  await tx.$executeRaw`
    update api_key set revoked_at = clock_timestamp() where hash = ${hash} and revoked_at is null`;
}

export async function insertTenant(tx: Tx, tenant: Tenant, planId: Id<'plan'>): Promise<void> {
  await tx.tenant.create({ data: { ...tenant, planId } });
}

/** Creates the plan unless one of its name exists, and returns the one that stands. */
export async function ensurePlan(tx: Tx, plan: Plan): Promise<Plan> {
  const row = await tx.plan.upsert({ where: { name: plan.name }, create: plan, update: {} });
  return { ...row, id: row.id as Id<'plan'> };
}

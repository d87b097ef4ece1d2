import type { Clock } from '../../kernel/clock.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Id, NewId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import type { Db, Tx } from '../../platform/db/index.ts';
import { isUniqueViolation, lockSeeding } from '../../platform/db/index.ts';
import type { KeyEnvironment, Permission } from './actor.ts';
import { TENANT_PERMISSIONS } from './actor.ts';
import { asPlatform } from './as-platform.ts';
import type { ListedKey, RevokedKey } from './key-store.ts';
import { listKeys, revokeKeyById } from './key-store.ts';
import { createKeyText, hashKey } from './key.ts';
import type { ApiKey, Plan, Tenant } from './store.ts';
import {
  ensurePlan,
  findTenant,
  findTenantBySlug,
  insertKey,
  insertTenant,
  revokeKeyByHash,
  setRetention,
} from './store.ts';

export interface OnboardingDeps {
  /** A pool of `darkroom_system`. */
  readonly systemDb: Db;
  readonly pepper: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: NewId;
}

/** A key and, this once, its text. */
export interface IssuedKey {
  readonly key: ApiKey;
  readonly text: string;
}

export interface NewTenant {
  readonly name: string;
  /** Lower-case letters, digits and dashes; unique over the installation. */
  readonly slug: string;
  readonly credits: number;
}

export interface KeyRequest {
  readonly name: string;
  readonly environment: KeyEnvironment;
  /** By default all that concern the tenant alone. */
  readonly permissions?: readonly Permission[];
  /** A text made earlier: issuing it again changes nothing. */
  readonly text?: string;
}

/** Written with the new tenant, in its transaction: what its ledger opens with. */
export type OpenLedger = (tx: Tx, tenantId: Id<'tenant'>, credits: number) => Promise<void>;

export type Onboarding = ReturnType<typeof createOnboarding>;

// `dk_live_` and four more characters.
const SHOWN_PREFIX_CHARS = 12;
const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const RETENTION_DAYS_MAX = 36_500;
const DEFAULT_PLAN = { name: 'standard', queuedJobsMax: 1_000, megapixelsMax: 4, stepsMax: 150 } as const;

/** What an operator does: tenants and their keys come into being here, as `darkroom_system`. */
export function createOnboarding(deps: OnboardingDeps, openLedger: OpenLedger) {
  return {
    /** Rejects with CONFLICT when the slug is taken and INVALID_INPUT when it is not one. */
    createTenant: (request: NewTenant): Promise<Tenant> => createTenant(deps, openLedger, request),

    /**
     * Keeps pictures for `days` (1 to 36,500), or with null for ever; what is older then goes within minutes.
     * Rejects with NOT_FOUND when there is no such tenant and INVALID_INPUT for other numbers.
     */
    setRetention: (tenantId: Id<'tenant'>, days: number | null): Promise<void> =>
      changeRetention(deps, tenantId, days),

    findBySlug: (slug: string): Promise<Tenant | null> =>
      asPlatform(deps.systemDb, (tx) => findTenantBySlug(tx, slug)),

    /** Rejects with NOT_FOUND when there is no such tenant. */
    issueKey: (tenantId: Id<'tenant'>, request: KeyRequest): Promise<IssuedKey> =>
      issueKey(deps, tenantId, request),

    /** The keys of one tenant, or with null of all. Rejects with NOT_FOUND when there is no such tenant. */
    listKeys: (tenantId: Id<'tenant'> | null): Promise<readonly ListedKey[]> =>
      asPlatform(deps.systemDb, async (tx) => {
        if (tenantId !== null) await requireTenant(tx, tenantId);
        return listKeys(tx, tenantId);
      }),

    /**
     * Ends a key's force at once and for good; one that is revoked stays as it is. Rejects with NOT_FOUND
     * when there is no such key.
     */
    revokeKey: (id: Id<'key'>): Promise<RevokedKey> =>
      asPlatform(deps.systemDb, async (tx) => {
        const revoked = await revokeKeyById(tx, id);
        if (!revoked) throw new DomainError('NOT_FOUND', `There is no key ${id}.`, { field: ['keyId'] });
        return revoked;
      }),

    /** As `revokeKey`, for whoever has the key's text; nothing happens when there is none of that text. */
    revokeKeyText: (text: string): Promise<void> =>
      asPlatform(deps.systemDb, (tx) => revokeKeyByHash(tx, hashKey(text, deps.pepper))),
  };
}

async function createTenant(
  { systemDb, clock, newId }: OnboardingDeps,
  openLedger: OpenLedger,
  { name, slug, credits }: NewTenant,
): Promise<Tenant> {
  if (!SLUG.test(slug)) {
    throw new DomainError(
      'INVALID_INPUT',
      `"${slug}" is not a slug: use lower-case letters, digits and dashes.`,
      {
        field: ['slug'],
      },
    );
  }
  const tenant: Tenant = {
    id: newId('tenant'),
    name,
    slug,
    state: 'ACTIVE',
    retentionDays: null,
    createdAt: new Date(clock.nowMs()),
  };
  const plan: Plan = { id: newId('plan'), ...DEFAULT_PLAN };
  try {
    await asPlatform(systemDb, async (tx) => {
      await lockSeeding(tx);
      const { id } = await ensurePlan(tx, plan);
      await insertTenant(tx, tenant, id);
      await openLedger(tx, tenant.id, credits);
    });
  } catch (error) {
    if (!isUniqueViolation(error, 'tenant_slug_key')) throw error;
    throw new DomainError('CONFLICT', `A tenant with the slug "${slug}" exists.`, { field: ['slug'] });
  }
  return tenant;
}

async function changeRetention(
  { systemDb }: OnboardingDeps,
  tenantId: Id<'tenant'>,
  days: number | null,
): Promise<void> {
  if (days !== null && !(Number.isInteger(days) && days >= 1 && days <= RETENTION_DAYS_MAX)) {
    throw new DomainError('INVALID_INPUT', `Pictures are kept for 1 to ${RETENTION_DAYS_MAX} days.`, {
      field: ['retentionDays'],
    });
  }
  await asPlatform(systemDb, async (tx) => {
    if (!(await setRetention(tx, tenantId, days))) throw noSuchTenant(tenantId);
  });
}

async function issueKey(
  { systemDb, pepper, clock, random, newId }: OnboardingDeps,
  tenantId: Id<'tenant'>,
  request: KeyRequest,
): Promise<IssuedKey> {
  const text = request.text ?? createKeyText(request.environment, random);
  const key: ApiKey = {
    id: newId('key'),
    name: request.name,
    prefix: text.slice(0, SHOWN_PREFIX_CHARS),
    last4: text.slice(-4),
    environment: request.environment,
    permissions: request.permissions ?? TENANT_PERMISSIONS,
    createdAt: new Date(clock.nowMs()),
  };
  await asPlatform(systemDb, async (tx) => {
    await requireTenant(tx, tenantId);
    await insertKey(tx, { ...key, tenantId, hash: hashKey(text, pepper) });
  });
  return { key, text };
}

async function requireTenant(tx: Tx, tenantId: Id<'tenant'>): Promise<void> {
  if (await findTenant(tx, tenantId)) return;
  throw noSuchTenant(tenantId);
}

function noSuchTenant(tenantId: Id<'tenant'>): DomainError {
  return new DomainError('NOT_FOUND', `There is no tenant ${tenantId}.`, { field: ['tenantId'] });
}

import { DomainError } from '../../kernel/errors.ts';
import type { Id, NewId } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { Actor, KeyEnvironment, TenantDb } from '../tenancy/index.ts';
import { requirePermission } from '../tenancy/index.ts';
import { insertReservation, insertUsageEntry, settleReservation, sumAvailable } from './store.ts';

export interface MeteringDeps {
  readonly db: TenantDb;
}

export type Metering = ReturnType<typeof createMetering>;

/** What a tenant may know of its money. */
export function createMetering({ db }: MeteringDeps) {
  return {
    /** Credits that a new job may use: the ledger's sum less what open jobs hold. */
    async balance(actor: Actor): Promise<number> {
      requirePermission(actor, 'TENANT_READ');
      return db.asTenant(actor.tenantId, (tx) => sumAvailable(tx, actor.tenantId));
    },
  };
}

/** The refusal of a job of that price: QUOTA_EXCEEDED when the balance does not cover it, else null. */
export async function shortfallOf(
  tx: Tx,
  tenantId: Id<'tenant'>,
  credits: number,
): Promise<DomainError | null> {
  const available = await sumAvailable(tx, tenantId);
  if (credits <= available) return null;
  return new DomainError(
    'QUOTA_EXCEEDED',
    `This job costs ${credits} credits and ${available} are left. Lower steps, size or image count.`,
  );
}

/**
 * Holds `credits` for a job within the submit's transaction. The caller has asked `shortfallOf` under the tenant's
 * submit lock, so that two submits cannot both spend the last credit. Jobs of TEST keys cost nothing and hold nothing.
 */
export async function reserve(
  tx: Tx,
  tenantId: Id<'tenant'>,
  hold: { jobId: Id<'job'>; credits: number },
): Promise<void> {
  await insertReservation(tx, tenantId, hold);
}

export interface Settlement {
  readonly tenantId: Id<'tenant'>;
  readonly jobId: Id<'job'>;
  /** Null when the job never ran: then there is nothing to write in the ledger. */
  readonly usedCredits: number | null;
}

/** Ends a job's reservation and, if it ran, writes its one usage row, in the transaction that ends the job. */
export async function settle(
  tx: Tx,
  newId: NewId,
  { tenantId, jobId, usedCredits }: Settlement,
): Promise<void> {
  await settleReservation(tx, tenantId, jobId);
  if (usedCredits === null) return;
  await insertUsageEntry(tx, {
    id: newId('usage'),
    tenantId,
    kind: 'USAGE',
    jobId,
    credits: -usedCredits,
    note: 'job',
  });
}

/** Writes credits that an operator or a plan gives. */
export async function grantCredits(
  tx: Tx,
  newId: NewId,
  grant: { tenantId: Id<'tenant'>; credits: number; note: string },
): Promise<void> {
  await insertUsageEntry(tx, { id: newId('usage'), kind: 'GRANT', jobId: null, ...grant });
}

/** Price of a whole job, or of the part of it that ran: `costUnits` rounded up once. TEST keys pay nothing. */
export function priceOf(costUnits: number, environment: KeyEnvironment): number {
  // The subtraction keeps 25 x 1.0000000000000002 from costing 26.
  return environment === 'TEST' ? 0 : Math.ceil(costUnits - 1e-9);
}

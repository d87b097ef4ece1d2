import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';

/**
 * What a tenant may spend: everything granted and adjusted, less what was used and what is held for
 * jobs that have not ended. One statement, hence one snapshot: between two, a job that ends would be
 * counted neither as held nor as used.
 */
export async function sumAvailable(tx: Tx, tenantId: Id<'tenant'>): Promise<number> {
  const [row] = await tx.$queryRaw<{ available: bigint }[]>`
    select coalesce((select sum(credits) from usage_entry where tenant_id = ${tenantId}), 0)
      - coalesce((select sum(credits) from reservation where tenant_id = ${tenantId} and settled_at is null), 0)
      as available`;
  return Number(row?.available ?? 0);
}

export async function insertReservation(
  tx: Tx,
  tenantId: Id<'tenant'>,
  hold: { readonly jobId: Id<'job'>; readonly credits: number },
): Promise<void> {
  await tx.reservation.create({ data: { tenantId, ...hold } });
}

export async function settleReservation(tx: Tx, tenantId: Id<'tenant'>, jobId: Id<'job'>): Promise<void> {
  await tx.$executeRaw`
    update reservation set settled_at = clock_timestamp()
    where tenant_id = ${tenantId} and job_id = ${jobId} and settled_at is null`;
}

export interface NewUsageEntry {
  readonly id: Id<'usage'>;
  readonly tenantId: Id<'tenant'>;
  readonly kind: 'GRANT' | 'USAGE' | 'ADJUST';
  readonly jobId: Id<'job'> | null;
  readonly credits: number;
  readonly note: string;
}

/** Rejects with a unique violation when the job has an entry already: a job is never charged twice. */
export async function insertUsageEntry(tx: Tx, entry: NewUsageEntry): Promise<void> {
  await tx.usageEntry.createMany({ data: [entry] });
}

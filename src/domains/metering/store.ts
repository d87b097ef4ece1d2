import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';

/** What a tenant has: everything granted and adjusted, less what was used. */
export async function sumLedger(tx: Tx, tenantId: Id<'tenant'>): Promise<number> {
  const { _sum } = await tx.usageEntry.aggregate({ where: { tenantId }, _sum: { credits: true } });
  return _sum.credits ?? 0;
}

/** What is held for jobs that have not ended. */
export async function sumOpenReservations(tx: Tx, tenantId: Id<'tenant'>): Promise<number> {
  const { _sum } = await tx.reservation.aggregate({
    where: { tenantId, settledAt: null },
    _sum: { credits: true },
  });
  return _sum.credits ?? 0;
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

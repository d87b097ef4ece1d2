import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import { insertStateEvents } from '../generation/index.ts';

interface AbandonedRow {
  readonly tenant_id: Id<'tenant'>;
  readonly id: Id<'job'>;
  readonly last_sequence: number;
}

/**
 * Puts every job of a holder back into the queue without asking it how far it is: its event numbers are
 * taken as used. What it writes from here on carries an old fence. Those that are to be cancelled are left for
 * the reaper to end.
 */
export async function abandonJobs(tx: Tx, holder: Id<'dispatcher'>): Promise<readonly Id<'job'>[]> {
  await tx.$executeRaw`
    update job set lease_until = clock_timestamp()
    where holder = ${holder} and state = 'RUNNING' and cancel_requested_at is not null`;
  const rows = await tx.$queryRaw<AbandonedRow[]>`
    update job set state = 'QUEUED', fence = fence + 1, holder = null, lease_until = null, step = 0,
      last_sequence = last_sequence + 1
    where holder = ${holder} and state = 'RUNNING' and cancel_requested_at is null
    returning tenant_id, id, last_sequence`;
  await insertStateEvents(
    tx,
    rows.map((row) => ({
      tenantId: row.tenant_id,
      jobId: row.id,
      sequence: row.last_sequence,
      type: 'REQUEUED' as const,
    })),
  );
  return rows.map(({ id }) => id);
}

import type { Id, NewId } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import { insertStateEvents } from '../generation/index.ts';
import type { EndedRow, Moved } from './end-store.ts';
import { endJob } from './end-store.ts';

interface AbandonedRow extends EndedRow {
  readonly cancel: boolean;
}

/**
 * Puts every job of a holder back into the queue without asking it how far it is: its event numbers are
 * taken as used. What it writes from here on carries an old fence. Those that are to be cancelled end, charged
 * for the steps that it last reported; their rows are locked first, so that no cancel comes between.
 */
export async function abandonJobs(tx: Tx, newId: NewId, holder: Id<'dispatcher'>): Promise<readonly Moved[]> {
  const rows = await tx.$queryRaw<AbandonedRow[]>`
    select tenant_id, id, step, total_steps, credits, last_sequence, cancel_requested_at is not null as cancel
    from job where holder = ${holder} and state = 'RUNNING'
    order by id
    for no key update`;
  const cancelled: Moved[] = [];
  for (const row of rows.filter(({ cancel }) => cancel)) {
    cancelled.push(await endJob(tx, newId, { row, error: null }));
  }
  return [
    ...cancelled,
    ...(await requeue(
      tx,
      rows.filter(({ cancel }) => !cancel),
    )),
  ];
}

async function requeue(tx: Tx, rows: readonly EndedRow[]): Promise<readonly Moved[]> {
  await tx.$executeRaw`
    update job set state = 'QUEUED', fence = fence + 1, holder = null, lease_until = null, step = 0,
      last_sequence = last_sequence + 1
    from unnest(
      ${rows.map((row) => row.tenant_id)}::text[], ${rows.map(({ id }) => id)}::text[]
    ) as p (tenant_id, id)
    where job.tenant_id = p.tenant_id and job.id = p.id`;
  await insertStateEvents(
    tx,
    rows.map((row) => ({
      tenantId: row.tenant_id,
      jobId: row.id,
      sequence: row.last_sequence + 1,
      type: 'REQUEUED' as const,
    })),
  );
  return rows.map(({ id }) => ({ id, state: 'QUEUED' }));
}

import type { Id, NewId } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { JobError, NewStateEvent } from '../generation/index.ts';
import { insertStateEvents, partialCredits } from '../generation/index.ts';
import { settle } from '../metering/index.ts';

/** A running job, locked by the transaction that is about to end it. */
export interface EndedRow {
  readonly tenant_id: Id<'tenant'>;
  readonly id: Id<'job'>;
  /** Evaluations that ran: what a cancelled job is charged for. */
  readonly step: number;
  readonly total_steps: number;
  readonly credits: number;
  readonly last_sequence: number;
}

/** What became of a job that left its holder unfinished. */
export interface Moved {
  readonly id: Id<'job'>;
  readonly state: 'QUEUED' | 'CANCELLED' | 'FAILED';
}

const UNREADABLE: JobError = {
  code: 'INTERNAL',
  message: 'The job failed by a fault of ours. It was not charged.',
};

/** Ends a claimed job whose recipe cannot be read. */
export async function failUnreadable(tx: Tx, newId: NewId, row: Omit<EndedRow, 'step'>): Promise<void> {
  await endJob(tx, newId, { row: { ...row, step: 0 }, error: UNREADABLE });
}

/** FAILED with `error` and uncharged, or CANCELLED when there is none, and charged for the steps that ran. */
export async function endJob(
  tx: Tx,
  newId: NewId,
  { row, error }: { readonly row: EndedRow; readonly error: JobError | null },
): Promise<Moved> {
  const state = error ? 'FAILED' : 'CANCELLED';
  const credits = error ? 0 : partialCredits(row.credits, row.step, row.total_steps);
  await tx.$executeRaw`
    update job set state = ${state}::job_state, fence = fence + 1, holder = null, lease_until = null,
      step = ${row.step}, last_sequence = ${row.last_sequence + 1}, credits = ${credits},
      finished_at = clock_timestamp(),
      error_code = ${error?.code ?? null}, error_message = ${error?.message ?? null}
    where tenant_id = ${row.tenant_id} and id = ${row.id}`;
  await settle(tx, newId, { tenantId: row.tenant_id, jobId: row.id, usedCredits: credits });
  await insertStateEvents(tx, [eventOf(row, { type: state, ...(error && { error }) })]);
  return { id: row.id, state };
}

/** The event that follows the last one of `row`. */
export function eventOf(row: EndedRow, more: Pick<NewStateEvent, 'type' | 'error'>): NewStateEvent {
  return { tenantId: row.tenant_id, jobId: row.id, sequence: row.last_sequence + 1, step: row.step, ...more };
}

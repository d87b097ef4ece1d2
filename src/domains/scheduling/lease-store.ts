import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import { SEQUENCE_BLOCK } from './claim-store.ts';

/** One held job as its holder sees it. */
export interface Pulse {
  readonly tenantId: Id<'tenant'>;
  readonly id: Id<'job'>;
  readonly fence: number;
  readonly step: number;
  /** The highest event number used so far. */
  readonly usedSequence: number;
}

/** What the database answers for a job that is still the caller's. */
export interface Renewal {
  readonly id: Id<'job'>;
  readonly isCancelRequested: boolean;
  readonly sequenceMax: number;
}

interface RenewalRow {
  readonly id: Id<'job'>;
  readonly cancel: boolean;
  readonly last_sequence: number;
}

/** Renews the leases of all of a dispatcher's jobs in one statement. A job that is missing from the answer is lost. */
export async function renewLeases(
  tx: Tx,
  pulses: readonly Pulse[],
  leaseMs: number,
): Promise<readonly Renewal[]> {
  if (pulses.length === 0) return [];
  const rows = await tx.$queryRaw<RenewalRow[]>`
    update job set step = p.step,
      lease_until = clock_timestamp() + make_interval(secs => ${leaseMs / 1000}::float8),
      last_sequence = greatest(job.last_sequence, p.used + ${SEQUENCE_BLOCK}::int)
    from unnest(
      ${pulses.map((pulse) => pulse.tenantId)}::text[], ${pulses.map((pulse) => pulse.id)}::text[],
      ${pulses.map((pulse) => pulse.fence)}::int[], ${pulses.map((pulse) => pulse.step)}::int[],
      ${pulses.map((pulse) => pulse.usedSequence)}::int[]
    ) as p (tenant_id, id, fence, step, used)
    where job.tenant_id = p.tenant_id and job.id = p.id and job.fence = p.fence and job.state = 'RUNNING'
    returning job.id, cancel_requested_at is not null as cancel, last_sequence`;
  return rows.map((row) => ({ id: row.id, isCancelRequested: row.cancel, sequenceMax: row.last_sequence }));
}

import type { Scheduling } from '../domains/scheduling/index.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Id } from '../kernel/ids.ts';
import type { DispatcherLogger } from './log.ts';
import type { Run } from './run.ts';
import { interrupt } from './run.ts';
import type { DispatcherSettings } from './settings.ts';

export interface HeartbeatDeps {
  readonly scheduling: Scheduling;
  readonly clock: Clock;
  readonly logger: DispatcherLogger;
  readonly settings: DispatcherSettings;
}

/**
 * Renews the leases of all runs in one statement. A run whose job somebody else holds is interrupted
 * as LOST, one that its tenant cancelled as CANCELLED. When the database does not answer nothing is
 * lost yet: the fence decides later, at the next write.
 */
export async function beat(
  { scheduling, logger, settings }: HeartbeatDeps,
  runs: ReadonlyMap<Id<'job'>, Run>,
): Promise<void> {
  const held = [...runs.values()];
  if (held.length === 0) return;
  const pulses = held.map(({ job, step, nextSequence }) => ({
    tenantId: job.tenantId,
    id: job.id,
    fence: job.fence,
    step,
    usedSequence: nextSequence - 1,
  }));
  try {
    const renewals = await scheduling.renew(pulses, settings.leaseMs);
    const renewalOf = new Map(renewals.map((renewal) => [renewal.id, renewal]));
    for (const run of held) {
      const renewal = renewalOf.get(run.job.id);
      if (renewal) run.sequenceMax = renewal.sequenceMax;
      if (renewal?.isCancelRequested) interrupt(run, 'CANCELLED');
      // A run that ended meanwhile is no longer in `runs`, and its job is rightly not ours.
      if (!renewal && runs.get(run.job.id) === run && !run.isEnding) interrupt(run, 'LOST');
    }
  } catch (error) {
    logger.failed(error, { jobs: held.length }, 'leases could not be renewed');
  }
}

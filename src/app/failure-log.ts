import type { Clock } from '../kernel/clock.ts';
import type { FailureLog, Outage } from '../kernel/outage.ts';
import { createFailureLog, createOutage } from '../kernel/outage.ts';
import { isDatabaseAway as isAway, isRetryableDatabaseError as isTransient } from '../platform/db/index.ts';
import type { Logger } from '../platform/telemetry/index.ts';

/** What a process knows of its database being away, and how its loops tell of what fails meanwhile. */
export function watchDatabase(
  clock: Clock,
  logger: Logger,
): { readonly outage: Outage; readonly log: FailureLog } {
  const outage = createOutage({ name: 'the database', isAway, clock, logger });
  return { outage, log: createFailureLog({ logger, outage, isAway, isTransient }) };
}

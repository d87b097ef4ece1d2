import { DomainError } from '../../kernel/errors.ts';
import { parseId } from '../../kernel/ids.ts';
import { settle } from '../metering/index.ts';
import type { Actor } from '../tenancy/index.ts';
import { requirePermission } from '../tenancy/index.ts';
import { partialCredits } from './charge.ts';
import { CANCEL_CHANNEL, EVENTS_CHANNEL } from './events/doorbell.ts';
import { insertStateEvents } from './events/store.ts';
import type { GenerationDeps } from './deps.ts';
import type { Job } from './job.ts';
import { canMove } from './job.ts';
import { lockJob, markCancelled, requestCancel } from './store.ts';

/**
 * A queued job ends at once. A running one is asked to stop and comes back RUNNING: its holder turns
 * the request into the CANCELLED event within one step. A finished job comes back as it is.
 */
export async function cancel({ db, bell, newId }: GenerationDeps, actor: Actor, id: string): Promise<Job> {
  requirePermission(actor, 'JOBS_WRITE');
  const { tenantId } = actor;
  const jobId = parseId('job', id);
  const job = await db.asTenant(tenantId, async (tx) => {
    const locked = jobId && (await lockJob(tx, tenantId, jobId));
    if (!locked) throw new DomainError('NOT_FOUND', 'There is no such job.', { field: ['jobId'] });
    const { job: current, lastSequence, hasRun } = locked;
    if (!canMove(current.state, 'CANCELLED')) return current;
    if (current.state === 'RUNNING') {
      await requestCancel(tx, tenantId, current.id);
      return current;
    }
    const usedCredits = hasRun ? partialCredits(current.credits, current.step, current.totalSteps) : null;
    const cancelled = await markCancelled(tx, current, usedCredits ?? 0);
    await settle(tx, newId, { tenantId, jobId: current.id, usedCredits });
    await insertStateEvents(tx, [
      { tenantId, jobId: current.id, sequence: lastSequence + 1, type: 'CANCELLED', step: current.step },
    ]);
    return cancelled;
  });
  void bell.ring(job.state === 'RUNNING' ? CANCEL_CHANNEL : EVENTS_CHANNEL, job.id);
  return job;
}

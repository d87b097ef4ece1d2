import type { Reach } from '../../kernel/fault-points.ts';
import type { Id, NewId } from '../../kernel/ids.ts';
import type { Db } from '../../platform/db/index.ts';
import { settle } from '../metering/index.ts';
import { asPlatform } from '../tenancy/index.ts';
import type { Bell } from './events/doorbell.ts';
import { EVENTS_CHANNEL } from './events/doorbell.ts';
import type { NewProgress, NewStateEvent } from './events/store.ts';
import { insertProgress, insertStateEvents } from './events/store.ts';
import type { Image, JobError } from './job.ts';
import { insertImages, markFinished } from './store.ts';

/** How a run ended. `credits` is what is charged for it: the price, the share that ran, or nothing. */
export type Outcome =
  | { readonly state: 'SUCCEEDED'; readonly images: readonly Image[]; readonly credits: number }
  | { readonly state: 'FAILED'; readonly error: JobError; readonly credits: 0 }
  | { readonly state: 'CANCELLED'; readonly credits: number };

/** The run that ends: who holds the job, and how far it came. */
export interface FinishedRun {
  readonly tenantId: Id<'tenant'>;
  readonly jobId: Id<'job'>;
  readonly fence: number;
  readonly step: number;
  /** Progress not yet written; it goes before the events of the outcome. */
  readonly pending: readonly NewProgress[];
  /** The first number that neither `pending` nor earlier events use. */
  readonly nextSequence: number;
}

export interface CompletionDeps {
  /** A pool of `darkroom_dispatcher`. */
  readonly dispatcherDb: Db;
  readonly bell: Bell;
  readonly newId: NewId;
  readonly reach: Reach;
}

const TERMINAL_EVENT = { SUCCEEDED: 'COMPLETED', FAILED: 'FAILED', CANCELLED: 'CANCELLED' } as const;

export type Completion = ReturnType<typeof createCompletion>;

/** The end of a job: state, pictures, money and events in one transaction, or nothing at all. */
export function createCompletion({ dispatcherDb, bell, newId, reach }: CompletionDeps) {
  return {
    /** False means that the caller holds the job no longer: it writes nothing and must drop it. */
    async complete(run: FinishedRun, outcome: Outcome): Promise<boolean> {
      const { tenantId, jobId, step } = run;
      const events = eventsOf(run, outcome);
      const isOurs = await asPlatform(dispatcherDb, async (tx) => {
        // Before the job leaves RUNNING, while the fence still admits its progress.
        await insertProgress(tx, run.pending);
        const marked = await markFinished(tx, {
          tenantId,
          id: jobId,
          fence: run.fence,
          state: outcome.state,
          step,
          credits: outcome.credits,
          lastSequence: run.nextSequence + events.length - 1,
          error: outcome.state === 'FAILED' ? outcome.error : null,
        });
        if (!marked) return false;
        if (outcome.state === 'SUCCEEDED') await insertImages(tx, outcome.images);
        await insertStateEvents(tx, events);
        await settle(tx, newId, { tenantId, jobId, usedCredits: outcome.credits });
        return true;
      });
      if (isOurs) {
        reach('dispatcher.completed');
        void bell.ring(EVENTS_CHANNEL, jobId);
      }
      return isOurs;
    },
  };
}

function eventsOf(
  { tenantId, jobId, step, nextSequence }: FinishedRun,
  outcome: Outcome,
): readonly NewStateEvent[] {
  const images = outcome.state === 'SUCCEEDED' ? outcome.images : [];
  const events = images.map((image, index) => ({
    tenantId,
    jobId,
    sequence: nextSequence + index,
    type: 'IMAGE' as const,
    step,
    imageId: image.id,
  }));
  const last: NewStateEvent = {
    tenantId,
    jobId,
    sequence: nextSequence + images.length,
    type: TERMINAL_EVENT[outcome.state],
    step,
    ...(outcome.state === 'FAILED' && { error: outcome.error }),
  };
  return [...events, last];
}

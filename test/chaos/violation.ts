/**
 * A promise that holds whatever dies:
 *
 * - `lost`: every job that a client was told of is there and ends; nothing is there that nobody was told of.
 * - `state`: a job has one state and one last event, and they agree.
 * - `twice`: no job is charged twice.
 * - `ledger`: a job that ran is charged what it costs, one that never ran has no entry.
 * - `quota`: nothing is held for jobs that have ended, and a balance is what was granted less what was used.
 * - `output`: a job that succeeded has its pictures, once, stored as recorded, the pixels those of a quiet run.
 * - `isolation`: a tenant sees all that is its own and nothing else.
 * - `events`: a reader is told every state once, in order, and of every hole by a GAP.
 * - `answers`: a client gets no answer but its own and those that say to try again.
 * - `ending`: a process that is told to end does so in good order.
 */
export type Invariant =
  'lost' | 'state' | 'twice' | 'ledger' | 'quota' | 'output' | 'isolation' | 'events' | 'answers' | 'ending';

/** Something that must never be. */
export interface Violation {
  readonly invariant: Invariant;
  /** The job, tenant, object or process. */
  readonly subject: string;
  readonly what: string;
}

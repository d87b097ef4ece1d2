import type { Id } from '../../kernel/ids.ts';
import type { Image, JobError } from './job.ts';

/** Rows of `event`: written in the transaction that changes the state and kept with the job. */
export const STATE_EVENT_TYPES = [
  'QUEUED',
  'STARTED',
  'REQUEUED',
  'IMAGE',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
] as const;
/** Rows of `job_progress`: coalesced, unlogged, and lost in a crash of the database. */
export const PROGRESS_EVENT_TYPES = ['STEP', 'PREVIEW'] as const;
/** `GAP` is never stored: it tells a reader that what came before its `sequence` is gone. */
export const JOB_EVENT_TYPES = [...STATE_EVENT_TYPES, ...PROGRESS_EVENT_TYPES, 'GAP'] as const;

export type StateEventType = (typeof STATE_EVENT_TYPES)[number];
export type ProgressEventType = (typeof PROGRESS_EVENT_TYPES)[number];
export type JobEventType = (typeof JOB_EVENT_TYPES)[number];

/** One thing that happened to a job. */
export interface JobEvent {
  readonly jobId: Id<'job'>;
  /** From 1, growing; numbers may be missing, never repeated. */
  readonly sequence: number;
  readonly type: JobEventType;
  readonly at: Date;
  readonly step: number | null;
  readonly totalSteps: number;
  /** A small WebP picture as a `data:` URL, on PREVIEW only. */
  readonly preview: string | null;
  /** On IMAGE only. */
  readonly image: Image | null;
  /** On FAILED only. */
  readonly error: JobError | null;
}

const TERMINAL: ReadonlySet<JobEventType> = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

/** Whether nothing can follow an event of this type. */
export function isTerminal(type: JobEventType): boolean {
  return TERMINAL.has(type);
}

import type { FramedPrompts, SchedulerName, Settings, SigmaSchedule } from '../../diffusion/index.ts';
import type { Id } from '../../kernel/ids.ts';

export const JOB_STATES = ['QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED'] as const;
export type JobState = (typeof JOB_STATES)[number];

const NEXT: Readonly<Record<JobState, readonly JobState[]>> = {
  // Straight to FAILED when it expires in the queue or is parked as poisoned.
  QUEUED: ['RUNNING', 'FAILED', 'CANCELLED'],
  // Back to QUEUED when its dispatcher dies and the lease runs out, or when it is given back.
  RUNNING: ['SUCCEEDED', 'FAILED', 'CANCELLED', 'QUEUED'],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
};

/** Whether the state machine has that move. */
export function canMove(from: JobState, to: JobState): boolean {
  return NEXT[from].includes(to);
}

/** Whether a job in this state never changes again. */
export function isFinal(state: JobState): boolean {
  return NEXT[state].length === 0;
}

export const OUTPUT_FORMATS = ['PNG', 'JPEG', 'WEBP'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Why a job ended FAILED; the closed set of `Job.error.code`. */
export const JOB_ERROR_CODES = [
  'ENGINE_FAILED',
  'MODEL_NUMERIC_ERROR',
  'OUTPUT_IS_NOISE',
  'OUTPUT_IS_FLAT',
  'NODE_UNAVAILABLE',
  'STORAGE_FAILED',
  'POISONED',
  'INTERNAL',
] as const;
export type JobErrorCode = (typeof JOB_ERROR_CODES)[number];

export interface JobError {
  readonly code: JobErrorCode;
  /** For the tenant to read: names no internals. */
  readonly message: string;
}

export interface MetadataEntry {
  readonly key: string;
  readonly value: string;
}

/** Everything that a tenant chose, or that was chosen for them, when the job was submitted. */
export interface JobSettings extends Settings {
  /** A PREVIEW event every so many steps; 0 is none. */
  readonly previewEverySteps: number;
  readonly outputFormat: OutputFormat;
}

/** What was settled of a job when it was submitted. */
export interface SettledJob extends FramedPrompts {
  readonly settings: JobSettings;
}

/** A request for pictures, from its submission on. */
export interface Job {
  readonly id: Id<'job'>;
  readonly tenantId: Id<'tenant'>;
  readonly state: JobState;
  readonly variantId: Id<'variant'>;
  /** Throws for a job whose record is damaged, each time the same error; all else of it can be told. */
  readonly readSettings: () => SettledJob;
  /** As `readSettings`. */
  readonly readMetadata: () => readonly MetadataEntry[];
  /** Finished U-Net evaluations of the slowest picture. */
  readonly step: number;
  readonly totalSteps: number;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly error: JobError | null;
  /** The price reserved until the job ends, then what was charged. */
  readonly credits: number;
}

/** A finished picture. Where it can be fetched is a signed link, made on request. */
export interface Image {
  readonly id: Id<'image'>;
  readonly tenantId: Id<'tenant'>;
  readonly jobId: Id<'job'>;
  /** Position within the job, from 0. */
  readonly index: number;
  readonly width: number;
  readonly height: number;
  readonly seed: bigint;
  readonly format: OutputFormat;
  readonly bytes: number;
  /** Of the stored file, in hex. */
  readonly sha256: string;
  /** Of the RGB rows before encoding, in hex. */
  readonly pixelSha256: string;
  readonly objectKey: string;
  readonly thumbnailKey: string;
  /** Since when it cannot be fetched any more; null while it can. */
  readonly expiredAt: Date | null;
}

/** What `jobSubmit` was given; whatever is null or absent is chosen by the variant's manifest. */
export interface JobSubmission {
  readonly prompt: string;
  readonly negativePrompt?: string | null | undefined;
  readonly variantId?: string | null | undefined;
  readonly width?: number | null | undefined;
  readonly height?: number | null | undefined;
  readonly steps?: number | null | undefined;
  readonly guidanceScale?: number | null | undefined;
  readonly scheduler?: SchedulerName | null | undefined;
  readonly sigmaSchedule?: SigmaSchedule | null | undefined;
  readonly clipSkip?: number | null | undefined;
  readonly seed?: bigint | null | undefined;
  readonly imageCount?: number | null | undefined;
  readonly previewEverySteps?: number | null | undefined;
  readonly outputFormat?: OutputFormat | null | undefined;
  readonly metadata?: readonly MetadataEntry[] | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
}

/** Narrows `jobs`; what is absent or null does not narrow. Times: from inclusive, to exclusive. */
export interface JobFilter {
  readonly states?: readonly JobState[] | null | undefined;
  readonly variantId?: string | null | undefined;
  readonly metadata?: MetadataEntry | null | undefined;
  readonly createdAfter?: Date | null | undefined;
  readonly createdBefore?: Date | null | undefined;
}

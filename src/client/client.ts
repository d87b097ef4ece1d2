import type {
  ImagePartsFragment,
  JobPartsFragment,
  JobQuoteQuery,
  JobSubmitInput,
  PlatformStatsQuery,
  PromptPreviewInput,
  PromptPreviewQuery,
  SchedulersQuery,
  VariantsQuery,
  ViewerQuery,
} from '../generated/client/operations.ts';
import {
  JobCancelDocument,
  JobDocument,
  JobQuoteDocument,
  JobSubmitDocument,
  PlatformStatsDocument,
  PromptPreviewDocument,
  SchedulersDocument,
  VariantsDocument,
  ViewerDocument,
} from '../generated/client/operations.ts';
import type { Downloadable } from './download.ts';
import { download } from './download.ts';
import type { UserError } from './errors.ts';
import { DarkroomError, DarkroomUserErrors } from './errors.ts';
import type { FollowOptions, JobEvent } from './follow-job.ts';
import { followJob } from './follow-job.ts';
import type { Fetch } from './http.ts';
import { execute } from './http.ts';
import type { Timing } from './timing.ts';
import { systemTiming } from './timing.ts';

export type Job = JobPartsFragment;
export type Image = ImagePartsFragment;
export type Variant = VariantsQuery['variants'][number];
export type Viewer = ViewerQuery['viewer'];
export type Finding = JobQuoteQuery['jobQuote']['findings'][number];
export type JobQuote = JobQuoteQuery['jobQuote'];
export type PromptPreview = NonNullable<PromptPreviewQuery['promptPreview']>;
export type Scheduler = SchedulersQuery['schedulers'][number];
export type PlatformStats = PlatformStatsQuery['platformStats'];

export interface ClientOptions {
  /** The API's full endpoint: `https://api.example.com/graphql`. */
  readonly api: string;
  /** The endpoint for events; by default that of `api` with `ws` for `http`. */
  readonly ws?: string;
  /** `dk_live_…` or `dk_test_…`. */
  readonly apiKey: string;
  readonly fetch?: Fetch;
  /** For one query or mutation; 30 seconds by default. */
  readonly requestTimeoutMs?: number;
  /** For one file; two minutes by default. */
  readonly downloadTimeoutMs?: number;
  /** The largest file that `download` takes; 64 MiB by default. */
  readonly downloadBytesMax?: number;
  /** How often an idle event stream is proven alive; 15 seconds by default. An answer has 10 more. */
  readonly pingEveryMs?: number;
  readonly timing?: Timing;
}

/**
 * Darkroom's API. Every method rejects with a `DarkroomError`; input that the API refuses is a
 * `DarkroomUserErrors`. Holds nothing open between calls.
 */
export interface Client {
  /**
   * Queues a job. To make a repeated call harmless give it an `idempotencyKey`. The key needs JOBS_READ
   * besides JOBS_WRITE, for the answer tells of pictures; the same goes for `cancelJob`.
   */
  submitJob(input: JobSubmitInput): Promise<Job>;
  /** What `submitJob` would be refused for and would cost; input that it refuses is in the answer, not thrown. */
  quoteJob(input: JobSubmitInput): Promise<JobQuote>;
  /** Null when there is no such job. */
  job(id: string): Promise<Job | null>;
  /** Stops a job within one step; one that has ended comes back unchanged. */
  cancelJob(id: string): Promise<Job>;
  /** The models that may be used. */
  variants(): Promise<readonly Variant[]>;
  /** The schedulers, what each reads and suits, and what others call it. */
  schedulers(): Promise<readonly Scheduler[]>;
  /** How a model would read a job's prompts, and what it would refuse; null when there is no such model. */
  previewPrompts(input: PromptPreviewInput): Promise<PromptPreview | null>;
  /** Whose key this is, and what is left of its credits. */
  viewer(): Promise<Viewer>;
  /** How the platform is doing as a whole; FORBIDDEN for a key without PLATFORM_READ. */
  platformStats(): Promise<PlatformStats>;
  /**
   * The events of a job, each once and in order, ending after COMPLETED, FAILED or CANCELLED. A lost
   * connection is resumed where it broke off, with growing pauses, and given up after about ten minutes
   * without an event (UNREACHABLE, or RATE_LIMITED when the key has too many streams). At most some
   * hundred events wait here to be taken; the rest stays with the API, which tells a reader that is too
   * slow the latest progress and a GAP. Throws NOT_FOUND for an unknown job.
   */
  followJob(jobId: string, options?: FollowOptions): AsyncIterable<JobEvent>;
  /** The file of a finished picture, its size bounded and its digest checked. */
  download(image: Downloadable): Promise<Uint8Array>;
}

/** Makes a client. Throws a `TypeError` when `api` is not an `http` or `https` URL. */
export function createClient(options: ClientOptions): Client {
  const { api, apiKey, ws = toSocketUrl(api), timing = systemTiming } = options;
  const deps = {
    api,
    ws,
    apiKey,
    timing,
    pingEveryMs: options.pingEveryMs ?? 15_000,
    // Looked up at each call, so that instrumentation installed later is used.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    downloadTimeoutMs: options.downloadTimeoutMs ?? 120_000,
    downloadBytesMax: options.downloadBytesMax ?? 64 * 1024 * 1024,
  };
  return {
    submitJob: async (input) => jobOf((await execute(deps, JobSubmitDocument, { input })).jobSubmit),
    quoteJob: async (input) => (await execute(deps, JobQuoteDocument, { input })).jobQuote,
    cancelJob: async (jobId) =>
      jobOf((await execute(deps, JobCancelDocument, { input: { jobId } })).jobCancel),
    job: async (id) => (await execute(deps, JobDocument, { id })).job,
    variants: async () => (await execute(deps, VariantsDocument, {})).variants,
    schedulers: async () => (await execute(deps, SchedulersDocument, {})).schedulers,
    previewPrompts: async (input) => (await execute(deps, PromptPreviewDocument, { input })).promptPreview,
    viewer: async () => (await execute(deps, ViewerDocument, {})).viewer,
    platformStats: async () => (await execute(deps, PlatformStatsDocument, {})).platformStats,
    followJob: (jobId, follow = {}) => followJob(deps, jobId, follow),
    download: (image) => download(deps, image),
  };
}

function jobOf({ job, userErrors }: { job: Job | null; userErrors: readonly UserError[] }): Job {
  if (userErrors.length > 0) throw new DarkroomUserErrors(userErrors);
  if (job === null)
    throw new DarkroomError('BAD_ANSWER', 'The API answered with neither a job nor an error.');
  return job;
}

function toSocketUrl(api: string): string {
  const url = URL.canParse(api) ? new URL(api) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(`Not the URL of an API: ${JSON.stringify(api)}. It begins with http:// or https://.`);
  }
  url.protocol = url.protocol.replace('http', 'ws');
  return url.href;
}

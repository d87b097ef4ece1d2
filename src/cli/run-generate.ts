import type { Client, Image, Job, JobEvent, JobSubmitInput } from '../client/index.ts';
import { DarkroomError } from '../client/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { systemClock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Output } from './host.ts';
import { CommandError, Interrupted, printJson, tellFindings } from './output.ts';
import type { Destination } from './picture-files.ts';
import { openDestination, savePicture } from './picture-files.ts';
import type { Progress } from './progress.ts';
import { createProgress } from './progress.ts';

export interface GenerateOptions {
  /** What to draw, as the API takes it. */
  readonly input: JobSubmitInput;
  /** A file or a folder; null is the current folder. */
  readonly out: string | null;
  /** One line of JSON in place of text, and no progress. */
  readonly json: boolean;
}

export interface GenerateDeps {
  readonly client: Client;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly cwd: string;
  /** Fires when the person wants out: the job is cancelled then. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

export interface SavedPicture {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  /** Of the file, in hex. */
  readonly sha256: string;
  /** Of the RGB rows, in hex. */
  readonly pixelSha256: string;
}

export interface GenerateResult {
  readonly jobId: string;
  /** The first of `images`. */
  readonly image: SavedPicture;
  readonly images: readonly SavedPicture[];
  /** Of the first picture; a string, for numbers are exact only to 2^53. */
  readonly seed: string;
  readonly steps: number;
  readonly credits: number;
  /** From submit until the last picture was on the disk. */
  readonly ms: number;
}

/**
 * Submits a job, follows it to its end, writes its pictures and says where they are.
 *
 * Rejects with `CommandError` before submitting when the pictures could not be written, with
 * `Interrupted` when `signal` fired (the job is cancelled by then), with `DarkroomUserErrors` for
 * input that the API refuses and with `DarkroomError` or `CommandError` when the job or the
 * connection fails.
 */
export async function runGenerate(options: GenerateOptions, deps: GenerateDeps): Promise<GenerateResult> {
  const { client, clock = systemClock } = deps;
  const destination = await openDestination(options.out, deps.cwd);
  if (deps.signal.aborted) throw new Interrupted();
  const startedMs = clock.monotonicMs();
  const { id, findings } = await client.submitJob(options.input);
  tellFindings(deps.stderr, findings ?? []);
  await followToEnd(id, options, deps);
  const job = settled(await finished(client, id));
  const images = await saveAll(job, destination, deps);
  const [image] = images;
  if (image === undefined) throw new CommandError(`Job ${id} has no picture. Please report this.`);
  const ms = Math.round(clock.monotonicMs() - startedMs);
  const result = { jobId: id, image, images, seed: job.seed, steps: job.steps, credits: job.credits, ms };
  if (options.json) printJson(deps.stdout, result);
  else printText(deps.stdout, result);
  return result;
}

async function followToEnd(id: string, { json }: GenerateOptions, deps: GenerateDeps): Promise<void> {
  const { client, stderr, signal } = deps;
  try {
    using progress = createProgress(stderr, { quiet: json });
    const onLost = () => progress.stall('connection lost, trying again');
    for await (const event of client.followJob(id, { signal, onLost })) {
      show(progress, event);
      checkEnd(id, event);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    await cancel(client, id);
  }
}

const PHASES: Readonly<Partial<Record<JobEvent['type'], string>>> = {
  QUEUED: 'waiting',
  REQUEUED: 'waiting',
  STARTED: 'drawing',
  STEP: 'drawing',
  IMAGE: 'storing',
  COMPLETED: 'done',
};

function show(progress: Progress, { type, step, totalSteps }: JobEvent): void {
  const phase = PHASES[type];
  if (phase !== undefined)
    progress.report(type === 'COMPLETED' ? totalSteps : (step ?? 0), totalSteps, phase);
}

function checkEnd(id: string, { type, error }: JobEvent): void {
  if (type === 'CANCELLED') throw new CommandError(`Job ${id} was cancelled by someone else.`);
  if (type === 'FAILED') {
    throw new CommandError(
      `Job ${id} failed (${error?.code ?? 'INTERNAL'}): ${error?.message ?? 'no reason given.'}`,
    );
  }
}

async function cancel(client: Client, id: string): Promise<never> {
  const job = await client.cancelJob(id).catch((error: unknown) => {
    const why = error instanceof DarkroomError ? error.code : messageOf(error);
    throw new Interrupted(`Interrupted, but job ${id} could not be cancelled (${why}); it goes on.`);
  });
  const ended = job.state === 'SUCCEEDED' || job.state === 'FAILED';
  throw new Interrupted(`Interrupted; job ${id} ${ended ? `had ended ${job.state}` : 'is cancelled'}.`);
}

// Asked again at the end: the links are fresh, and the credits are those that were charged.
async function finished(client: Client, id: string): Promise<Job> {
  const job = await client.job(id);
  if (job === null) throw new CommandError(`Job ${id} is gone. Has it been deleted?`);
  return job;
}

/** A job whose settings the platform can tell; the client throws where it cannot. */
type SettledJob = Job & { readonly [Field in (typeof SETTLED)[number]]: NonNullable<Job[Field]> };

const SETTLED = ['prompt', 'seed', 'steps', 'outputFormat'] as const;

function settled(job: Job): SettledJob {
  if (isSettled(job)) return job;
  throw new CommandError(`The record of job ${job.id} is damaged. Please report this.`);
}

function isSettled(job: Job): job is SettledJob {
  return SETTLED.every((field) => job[field] !== null);
}

async function saveAll(
  job: SettledJob,
  destination: Destination,
  { client, signal }: GenerateDeps,
): Promise<readonly SavedPicture[]> {
  const saved: SavedPicture[] = [];
  for (const [index, image] of job.images.entries()) {
    if (signal.aborted) throw new Interrupted(`Interrupted; job ${job.id} had ended ${job.state}.`);
    const name = {
      prompt: job.prompt,
      seed: job.seed,
      index,
      count: job.images.length,
      extension: EXTENSIONS[job.outputFormat],
    };
    const path = await savePicture(destination, name, await client.download(image));
    saved.push(toSaved(path, image));
  }
  return saved;
}

const EXTENSIONS = { PNG: 'png', JPEG: 'jpg', WEBP: 'webp' } as const;

function toSaved(path: string, { width, height, sha256, pixelSha256 }: Image): SavedPicture {
  return { path, width, height, sha256, pixelSha256 };
}

function printText(stdout: Output, { images, seed, credits, ms }: GenerateResult): void {
  for (const { path, width, height } of images) stdout.write(`${path}  ${width}x${height}\n`);
  stdout.write(`seed ${seed}, ${credits} ${credits === 1 ? 'credit' : 'credits'}, ${ms} ms\n`);
}

import type { Backoff } from '../kernel/backoff.ts';
import { backoffMs } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import { KserveError } from '../platform/kserve/index.ts';
import type { TakenJob } from './job-queue.ts';
import { createJobQueue } from './job-queue.ts';
import type { NodeLogger } from './log.ts';
import type { BatchOutcome } from './run-batch.ts';
import { answer, runBatch } from './run-batch.ts';
import type { SessionThread } from './session-thread.ts';
import type { Statistics } from './statistics.ts';
import type { InferJob, RawTensor } from './worker-messages.ts';

export interface SessionPoolOptions {
  readonly size: number;
  /** The most jobs of one model that may wait for a thread. */
  readonly waitingMax: number;
  readonly statistics: Pick<Statistics, 'note'>;
  /** Starts the thread for a place from 0, or one, told null, in the place of one that died. */
  readonly start: (place: number | null) => Promise<SessionThread>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: NodeLogger;
}

/**
 * Threads that take jobs in the order in which they came. Jobs that wait and differ in their rows alone run as
 * one; when that fails each runs by itself, so that none fails for another. Disposing waits for those that run.
 */
export interface SessionPool extends AsyncDisposable {
  /**
   * Runs a job on the next free thread, one that holds its graph if there is a choice, and takes over
   * the buffers of its inputs. Rejects with a `KserveError`: INTERNAL when the model or its thread
   * fails, CANCELLED when `signal` fires while the job waits (one that has begun is not interrupted),
   * UNAVAILABLE when too many of its model wait already, the pool is closed while it waits, or the graph can
   * no longer be loaded.
   */
  run(job: InferJob, signal: AbortSignal): Promise<readonly RawTensor[]>;
  /** Lets every thread forget the graph: the next job for it loads it again. */
  release(file: string): void;
  /** Threads that are loaded and alive. */
  readonly alive: number;
  /** Whether this graph can be called: false for a while after it could not be loaded, longer each time. */
  isLoadable(file: string): boolean;
}

// Quick enough that a single crash goes unnoticed, slow enough that a file that was damaged after
// the start does not keep a core busy.
const RESTART: Backoff = { firstMs: 100, maxMs: 10_000 };

// Files come back (a mount, a copy under way); those that do not cost a job a call every ten minutes.
const RELOAD: Backoff = { firstMs: 10_000, maxMs: 600_000 };

/** Starts all threads, or none: rejects as `start` does, and then has ended those that did start. */
export async function openSessionPool(options: SessionPoolOptions): Promise<SessionPool> {
  const { queue, loads, runOn } = createWork(options);
  const idle = new Set<SessionThread>();
  const alive = new Set<SessionThread>();
  const closing = new AbortController();

  function handOut(): void {
    for (let [idlest] = idle; idlest; [idlest] = idle) {
      const batch = queue.take();
      const [first] = batch;
      if (!first) return;
      const thread = [...idle].find((each) => each.holds(first.job.file)) ?? idlest;
      idle.delete(thread);
      void work(thread, batch);
    }
  }

  async function work(thread: SessionThread, batch: readonly TakenJob[]): Promise<void> {
    await runOn(thread, batch);
    if (alive.has(thread)) idle.add(thread);
    handOut();
  }

  async function keep(first: SessionThread): Promise<void> {
    let thread: SessionThread | null = first;
    while (thread) {
      // A replacement may be ready just after the pool was closed.
      if (closing.signal.aborted) return thread[Symbol.asyncDispose]();
      alive.add(thread);
      idle.add(thread);
      handOut();
      const reason: string = await thread.ended;
      alive.delete(thread);
      idle.delete(thread);
      thread = await replace(reason, options, closing.signal);
    }
    return undefined;
  }

  const keepers = (await startAll(options)).map(keep);
  return {
    get alive() {
      return alive.size;
    },
    isLoadable: loads.isLoadable,
    run(job, signal) {
      const outcome = queue.add(job, signal);
      handOut();
      return outcome;
    },
    release: (file) => alive.forEach((thread) => thread.release(file)),
    async [Symbol.asyncDispose]() {
      closing.abort();
      queue.close();
      await Promise.all([...alive].map((thread) => thread[Symbol.asyncDispose]()));
      await Promise.all(keepers);
    },
  };
}

/** What there is to do, and how a batch of it is done. */
function createWork(options: SessionPoolOptions) {
  const { waitingMax, statistics, clock } = options;
  const queue = createJobQueue({ waitingMax, clock });
  const loads = createLoadRecord(options);
  async function runOn(thread: SessionThread, batch: readonly TakenJob[]): Promise<void> {
    const outcome = await runBatch(thread, batch, clock.monotonicMs());
    for (const file of new Set(batch.map(({ job }) => job.file))) loads.note(file, outcome);
    statistics.note(outcome);
    if (outcome.kind === 'APART') queue.putBack(batch);
    else answer(batch, outcome);
  }
  return { queue, loads, runOn };
}

/** Remembers which graphs could not be loaded when they were last run, until they may be tried again. */
function createLoadRecord({ clock, random, logger }: SessionPoolOptions) {
  const failed = new Map<string, { readonly times: number; readonly untilMs: number }>();
  return {
    isLoadable: (file: string) => clock.monotonicMs() >= (failed.get(file)?.untilMs ?? -Infinity),
    note(file: string, outcome: BatchOutcome): void {
      if (outcome.kind === 'DONE') failed.delete(file);
      if (outcome.kind !== 'FAILED') return;
      const { error } = outcome;
      if (!(error instanceof KserveError) || error.reason !== 'NOT_LOADED') return;
      const times = failed.get(file)?.times ?? 0;
      const delayMs = backoffMs(RELOAD, times, random);
      failed.set(file, { times: times + 1, untilMs: clock.monotonicMs() + delayMs });
      logger.error({ reason: error.message, delayMs }, 'a model cannot be loaded; it is tried again');
    },
  };
}

async function startAll({ size, start }: SessionPoolOptions): Promise<readonly SessionThread[]> {
  const starts = await Promise.allSettled(Array.from({ length: size }, (_, place) => start(place)));
  const threads = starts.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failure = starts.find((each) => each.status === 'rejected');
  if (!failure) return threads;
  await Promise.all(threads.map((thread) => thread[Symbol.asyncDispose]()));
  throw failure.reason;
}

/** Starts a thread for one that ended; tries until that succeeds, or returns null when `closing` fires. */
async function replace(
  reason: string,
  { start, clock, random, logger }: SessionPoolOptions,
  closing: AbortSignal,
): Promise<SessionThread | null> {
  if (!closing.aborted) logger.error({ reason }, 'an inference worker died and is being replaced');
  for (let attempt = 0; !closing.aborted; attempt += 1) {
    try {
      return await start(null);
    } catch (error) {
      const delayMs = backoffMs(RESTART, attempt, random);
      logger.error({ reason: messageOf(error), delayMs }, 'an inference worker could not be replaced');
      await clock.sleep(delayMs, closing).catch(() => undefined);
    }
  }
  return null;
}

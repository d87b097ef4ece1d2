import type { JobEventsSubscription } from '../generated/client/operations.ts';
import { JobEventsDocument } from '../generated/client/operations.ts';
import { DarkroomError } from './errors.ts';
import type { SocketDeps } from './socket.ts';
import { subscribe } from './socket.ts';
import type { Timing } from './timing.ts';
import { backoffMs } from './timing.ts';

/** One thing that happened to a job. */
export type JobEvent = JobEventsSubscription['jobEvents'];

export interface FollowOptions {
  /** The last `sequence` that you have; absent or null begins with the first event. */
  readonly after?: number | null;
  /** Ends the iteration: it then throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told why whenever the connection is lost, before it is tried again. */
  readonly onLost?: (reason: DarkroomError) => void;
}

// About ten minutes without a single event arriving: longer than a restart takes.
const FAILURES_MAX = 64;
const RESUMABLE: ReadonlySet<string> = new Set(['UNREACHABLE', 'UNAVAILABLE', 'RATE_LIMITED']);
const TERMINAL: ReadonlySet<JobEvent['type']> = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

/**
 * The events of one job, each once and in order, through lost sockets and restarts of the API, until
 * its last one. See `Client.followJob`.
 */
export async function* followJob(
  deps: SocketDeps,
  jobId: string,
  { after = null, signal = new AbortController().signal, onLost }: FollowOptions,
): AsyncGenerator<JobEvent> {
  const position: Position = { last: after, isAtEnd: false };
  for (let failures = 1; ; failures++) {
    const before = position.last;
    const lost = yield* read(deps, { jobId, position, signal });
    if (position.isAtEnd) return;
    signal.throwIfAborted();
    if (position.last !== before) failures = 1;
    if (failures > FAILURES_MAX) throw lost;
    onLost?.(lost);
    await pause(deps.timing, { failures, lost, signal });
  }
}

interface Position {
  last: number | null;
  isAtEnd: boolean;
}

// Until the stream ends, well or not: what ended it is returned when going on makes sense, else thrown.
async function* read(
  deps: SocketDeps,
  { jobId, position, signal }: { jobId: string; position: Position; signal: AbortSignal },
): AsyncGenerator<JobEvent, DarkroomError> {
  const operation = { document: JobEventsDocument, variables: { jobId, after: position.last } };
  const before = position.last;
  try {
    for await (const { jobEvents: event } of subscribe(deps, operation, signal)) {
      // What was under way when a socket was lost may come twice.
      if (event.sequence <= (position.last ?? 0)) continue;
      position.last = event.sequence;
      position.isAtEnd = TERMINAL.has(event.type);
      yield event;
    }
  } catch (error) {
    if (error instanceof DarkroomError && RESUMABLE.has(error.code)) return error;
    throw error;
  }
  // Completed without a word: whoever reads on from the last event of an ended job has them all.
  position.isAtEnd ||= before !== null && position.last === before && !signal.aborted;
  return new DarkroomError('UNREACHABLE', 'The API stopped sending events.');
}

async function pause(
  timing: Timing,
  { failures, lost, signal }: { failures: number; lost: DarkroomError; signal: AbortSignal },
): Promise<void> {
  try {
    await timing.sleep(Math.max(backoffMs(failures, timing), lost.retryAfterMs ?? 0), signal);
  } catch (error) {
    // Rather the caller's own reason than the timer's.
    signal.throwIfAborted();
    throw error;
  }
}

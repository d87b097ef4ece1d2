import { subscribe } from '../../src/client/socket.ts';
import { DarkroomError } from '../../src/client/index.ts';
import { systemTiming } from '../../src/client/timing.ts';
import { JobEventsDocument } from '../../src/generated/client/operations.ts';
import type { Heard } from './event-checks.ts';
import type { Seeded } from './seeded.ts';

export interface ReaderDeps {
  /** Where events are told, one address per API process. */
  readonly sockets: readonly string[];
  readonly apiKey: string;
  readonly seeded: Seeded;
  /** In what share of the events the reader leaves, to go on elsewhere. */
  readonly restlessness: number;
  readonly signal: AbortSignal;
  /** Told the code of what ended a connection. */
  readonly onLost: (error: unknown) => void;
}

const PING_EVERY_MS = 2_000;
const PAUSE_MS = 400;
const TERMINAL: ReadonlySet<string> = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

interface Told {
  readonly sequence: number;
  readonly type: string;
}

/**
 * Reads a job's events to its last one, from one API process after the other: each connection goes on
 * after the last event of the one before. Keeps what comes as it comes, twice if it comes twice.
 */
export async function readToTheEnd(deps: ReaderDeps, jobId: string): Promise<Heard> {
  const events: Told[] = [];
  const { sockets, seeded, signal } = deps;
  for (let turn = seeded.between(0, sockets.length - 1); ; turn += 1) {
    signal.throwIfAborted();
    try {
      await readSome(deps, sockets[turn % sockets.length] ?? '', { jobId, events });
    } catch (error) {
      deps.onLost(error);
      if (isMissing(error)) return { jobId, events };
    }
    if (isEnd(events.at(-1))) return { jobId, events };
    await systemTiming.sleep(PAUSE_MS, signal);
  }
}

const isEnd = (event: Told | undefined) => event !== undefined && TERMINAL.has(event.type);
const isMissing = (error: unknown) => error instanceof DarkroomError && error.code === 'NOT_FOUND';

/** Over one connection, until it ends, the job does, or the reader feels like leaving. */
async function readSome(
  { apiKey, seeded, restlessness, signal }: ReaderDeps,
  ws: string,
  { jobId, events }: { readonly jobId: string; readonly events: Told[] },
): Promise<void> {
  const socket = { ws, apiKey, timing: systemTiming, pingEveryMs: PING_EVERY_MS };
  const variables = { jobId, after: events.at(-1)?.sequence ?? null };
  for await (const { jobEvents } of subscribe(socket, { document: JobEventsDocument, variables }, signal)) {
    events.push({ sequence: jobEvents.sequence, type: jobEvents.type });
    if (isEnd(jobEvents) || seeded.isLucky(restlessness)) return;
  }
}

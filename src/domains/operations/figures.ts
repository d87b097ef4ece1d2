import type { Id } from '../../kernel/ids.ts';

/** What a dispatcher has counted since it started. Times are in milliseconds. */
export interface DispatcherFigures {
  /** U-Net rows in calls right now. */
  readonly rowsInFlight: number;
  /** U-Net calls that were answered. */
  readonly unetCalls: number;
  /** U-Net rows in those calls: one is one evaluation for one picture. */
  readonly unetRows: number;
  /** For how long at least one U-Net call was in flight. */
  readonly busyMs: number;
  /** For how long in all an engine instance stood idle between an answer and its next call while there was work. */
  readonly gapMs: number;
  /** How many such gaps there were. */
  readonly gaps: number;
}

/** What the doors of an API process have counted since it started. */
export interface ApiFigures {
  /** WebSockets open right now. */
  readonly sockets: number;
  /** The largest number of bytes that were ever buffered for one socket. */
  readonly socketBufferBytesMax: number;
  /** Events handed to subscribers. */
  readonly eventsDelivered: number;
}

/** One process's counts and sums, as they travel: means of several processes cannot be put together. */
export interface ProcessFigures {
  /** For how long the process has counted. */
  readonly upMs: number;
  /** The mean by which the event loop was late; null before the first sample. */
  readonly eventLoopDelayMs: number | null;
  /** Null: the process is no dispatcher. */
  readonly dispatcher: DispatcherFigures | null;
  /** Null: the process serves no API. */
  readonly api: ApiFigures | null;
}

/** Whose figures they are. */
export interface ProcessIdentity {
  readonly id: Id<'process'>;
  /** The machine's name. */
  readonly host: string;
  /** What the process does: `api`, `dispatcher`, `background`. */
  readonly roles: readonly string[];
}

/** A running process and its figures. */
export interface ProcessReport extends ProcessIdentity {
  readonly figures: ProcessFigures;
}

/**
 * The figures of the platform, over all of its running processes and since each of them started.
 * Null where nothing has run that could be counted. `docs/figures.md` says what each one tells.
 */
export interface PlatformStats {
  /** Jobs of all tenants that are QUEUED now. */
  readonly queueDepth: number;
  /** U-Net rows in calls now, summed over dispatchers. */
  readonly rowsInFlight: number;
  /** U-Net rows per U-Net call. */
  readonly meanBatch: number | null;
  /** U-Net rows evaluated per second in which a call was in flight, summed over dispatchers. */
  readonly stepsPerSecond: number | null;
  /** The mean time for which an engine instance stood idle while there was work, in milliseconds. */
  readonly stepGapMs: number | null;
  /** The mean by which an event loop was late, of the process where that is largest, in milliseconds. */
  readonly eventLoopDelayMs: number | null;
  /** Events delivered to subscribers per second, summed over API processes. */
  readonly eventsPerSecond: number | null;
  /** WebSockets open now. */
  readonly sockets: number;
  /** The largest number of bytes that were ever buffered for one socket. */
  readonly socketBufferBytesMax: number;
}

/** Puts the figures of the running processes together; `queueDepth` counts QUEUED jobs. */
export function combineFigures(queueDepth: number, processes: readonly ProcessFigures[]): PlatformStats {
  const dispatchers = processes.flatMap(({ dispatcher }) => dispatcher ?? []);
  const apis = processes.flatMap(({ api }) => api ?? []);
  return {
    queueDepth,
    rowsInFlight: sum(dispatchers.map(({ rowsInFlight }) => rowsInFlight)),
    meanBatch: mean(
      dispatchers.map(({ unetRows }) => unetRows),
      dispatchers.map(({ unetCalls }) => unetCalls),
    ),
    // Rates are added and not averaged: dispatchers drive different engines at the same time.
    stepsPerSecond: sumOfKnown(dispatchers.map(({ unetRows, busyMs }) => perSecond(unetRows, busyMs))),
    stepGapMs: mean(
      dispatchers.map(({ gapMs }) => gapMs),
      dispatchers.map(({ gaps }) => gaps),
    ),
    eventLoopDelayMs: largest(processes.flatMap(({ eventLoopDelayMs }) => eventLoopDelayMs ?? [])),
    eventsPerSecond: sumOfKnown(
      processes.map(({ api, upMs }) => api && perSecond(api.eventsDelivered, upMs)),
    ),
    sockets: sum(apis.map(({ sockets }) => sockets)),
    socketBufferBytesMax: largest(apis.map(({ socketBufferBytesMax }) => socketBufferBytesMax)) ?? 0,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function sumOfKnown(values: readonly (number | null)[]): number | null {
  const known = values.flatMap((value) => value ?? []);
  return known.length === 0 ? null : sum(known);
}

function mean(totals: readonly number[], counts: readonly number[]): number | null {
  const count = sum(counts);
  return count === 0 ? null : sum(totals) / count;
}

function perSecond(count: number, ms: number): number | null {
  return ms <= 0 ? null : (count * 1000) / ms;
}

function largest(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.max(...values);
}

import type { Rows } from './engines.ts';
import { EngineError } from './engines.ts';
import { rowCount, sliceRows } from './rows.ts';

/** Whom the rows belong to, and until when anybody wants them. */
export interface Asker {
  /** Stands for the job: rows of the same owner have the same fate. */
  readonly owner: object;
  /** True: shares no call with others. What it did to an engine before shall not happen to its neighbours. */
  readonly isAlone: boolean;
  /** Takes the request back while it waits; it rejects with the signal's reason. A call in flight goes on. */
  readonly withdrawn: AbortSignal;
  /** Settles the request at once wherever it is; the call itself is cut short when nobody else is in it. */
  readonly lost: AbortSignal;
}

/** Rows that wait for a call or are in one. */
export interface Request {
  readonly content: Rows;
  readonly rows: number;
  readonly asker: Asker;
  readonly askedAtMs: number;
  /** Requests with equal keys can share a call. */
  key: string | symbol;
  /** Settles with what the call brings, or before it when one of the asker's signals fires. */
  readonly answer: Promise<Rows>;
  fulfil(answer: Rows): void;
  refuse(error: unknown): void;
}

/** Puts rows into `waiting`, from where a signal of the asker takes them back. */
export function openRequest(
  waiting: Set<Request>,
  content: Rows,
  { asker, askedAtMs }: Pick<Request, 'asker' | 'askedAtMs'>,
): Request {
  const { promise, resolve, reject } = Promise.withResolvers<Rows>();
  const { withdrawn, lost } = asker;
  const withdraw = () => {
    if (waiting.delete(request)) reject(withdrawn.reason);
  };
  const lose = () => {
    waiting.delete(request);
    reject(lost.reason);
  };
  const answer = promise.finally(() => {
    withdrawn.removeEventListener('abort', withdraw);
    lost.removeEventListener('abort', lose);
  });
  const request: Request = {
    content,
    rows: rowCount(content),
    asker,
    askedAtMs,
    key: asker.isAlone ? Symbol('alone') : keyOf(content),
    answer,
    fulfil: resolve,
    refuse: reject,
  };
  waiting.add(request);
  withdrawn.addEventListener('abort', withdraw);
  lost.addEventListener('abort', lose);
  if (withdrawn.aborted) withdraw();
  if (lost.aborted) lose();
  return request;
}

function keyOf(content: Rows): string {
  return Object.entries(content)
    .map(([name, { shape }]) => `${name}:${shape.slice(1).join('x')}`)
    .toSorted()
    .join(' ');
}

/** Gives each request of an answered call its rows. */
export function scatter(batch: readonly Request[], answer: Rows): void {
  let from = 0;
  for (const { rows, fulfil } of batch) {
    fulfil(batch.length === 1 ? answer : sliceRows(answer, from, from + rows));
    from += rows;
  }
}

/**
 * Tells the requests of a failed call, unless one job's rows may be what the engine refused: then each waits
 * again, for a call of its own, so that only the guilty one fails.
 */
export function refuse(waiting: Set<Request>, batch: readonly Request[], error: unknown): void {
  const isShared = new Set(batch.map(({ asker }) => asker.owner)).size > 1;
  const isTheirs = error instanceof EngineError && error.fault === 'request';
  for (const request of batch) {
    const { withdrawn } = request.asker;
    if (!isShared || !isTheirs) request.refuse(error);
    else if (withdrawn.aborted) request.refuse(withdrawn.reason);
    else {
      request.key = Symbol('alone');
      waiting.add(request);
    }
  }
}

/** A signal that fires when everybody in the call has lost their job: the answer is of no use to anybody then. */
export function untilAllLost(batch: readonly Request[]): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const look = () => {
    if (batch.every(({ asker }) => asker.lost.aborted)) controller.abort();
  };
  for (const { asker } of batch) asker.lost.addEventListener('abort', look);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const { asker } of batch) asker.lost.removeEventListener('abort', look);
    },
  };
}

import type { Clock } from '../kernel/clock.ts';
import type { Engines, Part, Rows } from './engines.ts';
import type { CallMeter } from './figures.ts';
import { formBatch } from './form-batch.ts';
import { createIdleTimes } from './idle-times.ts';
import type { Asker, Request } from './request.ts';
import { openRequest, refuse, scatter, untilAllLost } from './request.ts';
import { stackRows } from './rows.ts';

/** One part of one engine, and how much of it can run at once. */
export interface LanePart {
  readonly part: Part;
  /** Rows that one call may carry. */
  readonly rowsMax: number;
  /** Calls that run at the same time. */
  readonly instances: number;
}

/**
 * The calls to one part: requests of many jobs that can be stacked share them. As many calls are in flight as
 * the engine has instances, and whatever can be sent is sent: nothing waits for company.
 */
export interface Lane {
  /**
   * Answers `rows` row by row, whatever calls they travel in; at most `rowsMax` of them. The arrays must stay
   * as they are until the answer. Rejects as `Engines.infer` does, or with the reason of a signal of `asker`.
   */
  ask(rows: Rows, asker: Asker): Promise<Rows>;
}

export interface LaneDeps {
  readonly engines: Engines;
  readonly clock: Clock;
  /** Counts the calls, or null when they are none of the step loop. */
  readonly meter: CallMeter | null;
}

export function createLane({ part, rowsMax, instances }: LanePart, deps: LaneDeps): Lane {
  const waiting = new Set<Request>();
  const inFlight = new Set<readonly Request[]>();
  const idle = createIdleTimes(deps.clock);
  let isDue = false;

  /**
   * After the continuations of the answer that freed an instance: each job of that call then has asked for
   * its next step, and they go on together.
   */
  function sendSoon(): void {
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      while (inFlight.size < instances && waiting.size > 0) void send(takeBatch());
    });
  }

  function takeBatch(): readonly Request[] {
    const [first] = waiting;
    const rowsInFlight = countRows([...inFlight].flat().filter(({ key }) => key === first?.key));
    const batch = formBatch(waiting, { rowsMax, instances, rowsInFlight });
    for (const request of batch) waiting.delete(request);
    return batch;
  }

  async function send(batch: readonly Request[]): Promise<void> {
    inFlight.add(batch);
    deps.meter?.started(countRows(batch), idle.end(batch));
    using call = untilAllLost(batch);
    let isAnswered = false;
    try {
      const content = stackRows(batch.map((request) => request.content));
      const answer = await deps.engines.infer(part, content, call.signal);
      isAnswered = true;
      scatter(batch, answer);
    } catch (error) {
      refuse(waiting, batch, error);
    } finally {
      idle.begin(batch);
      inFlight.delete(batch);
      deps.meter?.ended(countRows(batch), isAnswered);
      sendSoon();
    }
  }

  return {
    ask(content, asker) {
      const { answer } = openRequest(waiting, content, { asker, askedAtMs: deps.clock.monotonicMs() });
      sendSoon();
      return answer;
    },
  };
}

function countRows(requests: readonly Request[]): number {
  return requests.reduce((sum, { rows }) => sum + rows, 0);
}

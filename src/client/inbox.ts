/**
 * Turns calls into an async iteration: what is pushed comes out in order, then the end. The first of
 * `end` and `fail` counts; nothing pushed after it comes out.
 */
export interface Inbox<T> extends AsyncIterable<T> {
  push(value: T): void;
  end(): void;
  fail(reason: unknown): void;
}

/** Where values come from. */
export interface Source {
  /** Called when so many values wait that no more should come for now. What still comes is kept. */
  pause(): void;
  /** Called when there is room again. */
  resume(): void;
}

const WAITING_MAX = 256;
// Half of it, so that the source is not stopped and started for every value.
const WAITING_LOW = WAITING_MAX / 2;

export function createInbox<T>(source: Source): Inbox<T> {
  const values: T[] = [];
  let isPaused = false;
  let ended: { readonly failure: { readonly reason: unknown } | null } | null = null;
  let wake = Promise.withResolvers<void>();
  const change = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const finish = (failure: { readonly reason: unknown } | null) => {
    ended ??= { failure };
    change();
  };
  const regulate = () => {
    if (!isPaused && values.length >= WAITING_MAX) {
      isPaused = true;
      source.pause();
    } else if (isPaused && values.length <= WAITING_LOW) {
      isPaused = false;
      source.resume();
    }
  };
  return {
    push(value) {
      if (ended === null) values.push(value);
      regulate();
      change();
    },
    end: () => finish(null),
    fail: (reason) => finish({ reason }),
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const next = wake.promise;
        while (values.length > 0) {
          yield* values.splice(0, 1);
          regulate();
        }
        if (ended?.failure) throw ended.failure.reason;
        if (ended !== null) return;
        await next;
      }
    },
  };
}

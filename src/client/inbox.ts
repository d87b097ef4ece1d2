/**
 * Turns calls into an async iteration: what is pushed comes out in order, then the end. The first of
 * `end` and `fail` counts; nothing pushed after it comes out.
 */
export interface Inbox<T> extends AsyncIterable<T> {
  push(value: T): void;
  end(): void;
  fail(reason: unknown): void;
}

export function createInbox<T>(): Inbox<T> {
  const values: T[] = [];
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
  return {
    push(value) {
      if (ended === null) values.push(value);
      change();
    },
    end: () => finish(null),
    fail: (reason) => finish({ reason }),
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const next = wake.promise;
        while (values.length > 0) yield* values.splice(0);
        if (ended?.failure) throw ended.failure.reason;
        if (ended !== null) return;
        await next;
      }
    },
  };
}

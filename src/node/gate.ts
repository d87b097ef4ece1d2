import { KserveError, status } from '../platform/kserve/index.ts';

/** Counts the requests inside, so that a stop can let them end and let no others in. */
export interface Gate {
  /** Throws a `KserveError` UNAVAILABLE with this text once the gate is closed. */
  check(text: string): void;
  /** Runs `work` inside. Rejects with a `KserveError` UNAVAILABLE once the gate is closed. */
  pass<T>(work: () => Promise<T>): Promise<T>;
  /** Lets no more requests in; resolves when the last one is out. */
  close(): Promise<void>;
}

export function createGate(): Gate {
  const empty = Promise.withResolvers<void>();
  let isOpen = true;
  let inside = 0;
  const settle = () => {
    if (!isOpen && inside === 0) empty.resolve();
  };
  const check = (text: string) => {
    if (!isOpen) throw new KserveError(status.UNAVAILABLE, text);
  };
  return {
    check,
    async pass(work) {
      check('Server exiting');
      inside += 1;
      try {
        return await work();
      } finally {
        inside -= 1;
        settle();
      }
    },
    close() {
      isOpen = false;
      settle();
      return empty.promise;
    },
  };
}

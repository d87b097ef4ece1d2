import { KserveError, status } from '../platform/kserve/index.ts';

/** Counts the requests inside, so that a stop can let them end and let no others in. */
export interface Gate {
  readonly isOpen: boolean;
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
  return {
    get isOpen() {
      return isOpen;
    },
    async pass(work) {
      if (!isOpen) throw new KserveError(status.UNAVAILABLE, 'Server exiting');
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

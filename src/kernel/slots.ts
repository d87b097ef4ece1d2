/** Runs at most so many tasks at a time; the others wait in order. */
export interface Slots {
  /** Settles as `task` does. Rejects with the reason of `signal`, and never runs, when it fires before its turn. */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

/** As `Slots`, with as many for each key: a crowd at one keeps nobody waiting at another. */
export interface KeyedSlots<Key> {
  run<T>(key: Key, task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

/** `count` tasks at a time at most. */
export function createSlots(count: number): Slots {
  const waiting = new Set<() => void>();
  let free = count;
  const turn = (signal: AbortSignal | undefined) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      waiting.delete(enter);
      reject(signal?.reason);
    };
    const enter = () => {
      waiting.delete(enter);
      signal?.removeEventListener('abort', leave);
      resolve();
    };
    waiting.add(enter);
    signal?.addEventListener('abort', leave, { once: true });
    return promise;
  };
  const release = () => {
    const [next] = waiting;
    // Handed over and not freed, so that nobody who comes later overtakes.
    if (next) next();
    else free += 1;
  };
  return {
    async run(task, signal) {
      signal?.throwIfAborted();
      if (free > 0) free -= 1;
      else await turn(signal);
      try {
        return await task();
      } finally {
        release();
      }
    },
  };
}

/** `count` tasks at a time at most for each key. Keeps nothing of a key that nobody uses. */
export function createKeyedSlots<Key>(count: number): KeyedSlots<Key> {
  const used = new Map<Key, { readonly slots: Slots; users: number }>();
  return {
    async run(key, task, signal) {
      const own = used.get(key) ?? { slots: createSlots(count), users: 0 };
      used.set(key, own);
      own.users += 1;
      try {
        return await own.slots.run(task, signal);
      } finally {
        own.users -= 1;
        if (own.users === 0) used.delete(key);
      }
    },
  };
}

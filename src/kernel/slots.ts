/** Runs at most so many tasks at a time; the others wait in order. */
export interface Slots {
  /** Settles as `task` does. */
  run<T>(task: () => Promise<T>): Promise<T>;
}

/** `count` tasks at a time at most. */
export function createSlots(count: number): Slots {
  const waiting: (() => void)[] = [];
  let free = count;
  const release = () => {
    const next = waiting.shift();
    // Handed over and not freed, so that nobody who comes later overtakes.
    if (next) next();
    else free += 1;
  };
  return {
    async run(task) {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await task();
      } finally {
        release();
      }
    },
  };
}

import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { watchPongs } from './pong-watch.ts';

/** A watch, how many answers it waits for, and a way to let their time pass. */
function startWatch() {
  const waits = new Map<AbortSignal, () => void>();
  let silences = 0;
  const watch = watchPongs(
    {
      chance: () => 0.5,
      async sleep(_ms, signal = new AbortController().signal) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waits.set(signal, resolve);
        signal.addEventListener('abort', () => waits.delete(signal));
        const gone = once(signal, 'abort').then(() => {
          throw new Error('gone');
        });
        await Promise.race([promise, gone]);
      },
    },
    () => (silences += 1),
  );
  const pass = async () => {
    for (const resolve of waits.values()) resolve();
    await new Promise((resolve) => setImmediate(resolve));
    return silences;
  };
  return { watch, waiting: () => waits.size, pass };
}

describe('a connection', () => {
  it('is silent when a ping is not answered in time, and not when it is', async () => {
    const { watch, waiting, pass } = startWatch();
    watch.pinged();
    watch.ponged();
    expect([waiting(), await pass()]).toEqual([0, 0]);
    watch.pinged();
    expect(await pass()).toBe(1);
  });

  it('is not silent while nobody reads, whenever the ping went', async () => {
    const { watch, waiting, pass } = startWatch();
    watch.pinged();
    watch.pause();
    expect(waiting()).toBe(0);
    watch.resume();
    watch.ponged();
    watch.pause();
    watch.pinged();
    expect([waiting(), await pass()]).toEqual([0, 0]);
  });

  it('has an answer that was due when reading stopped still to come when it goes on', async () => {
    const { watch, waiting, pass } = startWatch();
    watch.pause();
    watch.pinged();
    watch.resume();
    expect(waiting()).toBe(1);
    expect(await pass()).toBe(1);
  });

  it('is waited for no longer once it is given up', async () => {
    const { watch, waiting, pass } = startWatch();
    watch.pinged();
    watch.stop();
    watch.resume();
    expect([waiting(), await pass()]).toEqual([0, 0]);
  });
});

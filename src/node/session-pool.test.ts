import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import type { Clock } from '../kernel/clock.ts';
import { systemClock } from '../kernel/clock.ts';
import { KserveError, status } from '../platform/kserve/index.ts';
import { openSessionPool } from './session-pool.ts';
import type { SessionThread } from './session-thread.ts';
import type { InferJob, InferOutcome } from './worker-messages.ts';

const never = new AbortController().signal;
const silent = { info: () => {}, warn: () => {}, error: () => {} };
const random = { bytes: (count: number) => new Uint8Array(count) };
const job = (model: string, file = '/x.onnx'): InferJob => {
  const bytes = new Uint8Array(4);
  const inputs = [{ name: 'x', datatype: 'FP32' as const, shape: [1, 1], bytes }];
  return { model, file, id: '', rowsMax: 1, inputs, outputs: [] };
};
const times = { inputMs: 0, inferMs: 0, outputMs: 0 };
const rest = { waitingMax: 256, statistics: { note: () => {} }, random, logger: silent };

/** A thread whose jobs end when the test says so. */
function scriptedThread(held: readonly string[] = []) {
  const end = Promise.withResolvers<string>();
  const started: string[] = [];
  const released: string[] = [];
  let current = Promise.withResolvers<InferOutcome>();
  const thread: SessionThread = {
    ended: end.promise,
    holds: (file) => held.includes(file),
    run({ model }) {
      started.push(model);
      current = Promise.withResolvers();
      return current.promise;
    },
    release: (file) => void released.push(file),
    async [Symbol.asyncDispose]() {
      end.resolve('disposed');
    },
  };
  return {
    thread,
    started,
    released,
    finish: () => current.resolve({ outputs: [], times }),
    fail: (error: Error) => current.reject(error),
    die() {
      current.reject(new Error('died'));
      end.resolve('died');
    },
  };
}

type Scripted = ReturnType<typeof scriptedThread>;

async function openScripted(threads: readonly Scripted[], clock: Clock = systemClock) {
  const left = [...threads];
  const start = async () => {
    const next = left.shift();
    if (!next) throw new Error('no more threads');
    return next.thread;
  };
  return openSessionPool({ size: threads.length, start, clock, ...rest });
}

describe('session pool', () => {
  it('runs jobs in the order in which they came, one at a time on a thread', async () => {
    const one = scriptedThread();
    await using pool = await openScripted([one]);
    const jobs = ['a', 'b', 'c'].map((model) => pool.run(job(model), never));
    for (const [i, each] of jobs.entries()) {
      await expect.poll(() => one.started).toEqual(['a', 'b', 'c'].slice(0, i + 1));
      one.finish();
      await each;
    }
  });

  it('gives a job to a free thread that holds its graph, and to another rather than let it wait', async () => {
    const [one, two] = [scriptedThread(['/a.onnx']), scriptedThread(['/b.onnx'])];
    await using pool = await openScripted([one, two]);
    const first = pool.run(job('first', '/b.onnx'), never);
    expect(two.started).toEqual(['first']);
    const second = pool.run(job('second', '/b.onnx'), never);
    expect(one.started).toEqual(['second']);
    for (const { finish } of [one, two]) finish();
    await Promise.all([first, second]);
  });

  it('says of a graph that it cannot be loaded until a job for it has run', async () => {
    const one = scriptedThread();
    await using pool = await openScripted([one]);
    const failed = expect(pool.run(job('a'), never)).rejects.toMatchObject({ reason: 'NOT_LOADED' });
    one.fail(new KserveError(status.UNAVAILABLE, "'a' version 1 is not at ready state"));
    await failed;
    expect(['/x.onnx', '/y.onnx'].map(pool.isLoadable)).toEqual([false, true]);

    const raised = expect(pool.run(job('a'), never)).rejects.toThrow('raised');
    await expect.poll(() => one.started).toHaveLength(2);
    one.fail(new KserveError(status.INTERNAL, 'raised'));
    await raised;
    expect(pool.isLoadable('/x.onnx')).toBe(false);

    const ran = pool.run(job('a'), never);
    await expect.poll(() => one.started).toHaveLength(3);
    one.finish();
    await ran;
    expect(pool.isLoadable('/x.onnx')).toBe(true);
  });

  it('never starts a job that was withdrawn while it waited', async () => {
    const one = scriptedThread();
    await using pool = await openScripted([one]);
    const withdrawn = new AbortController();
    const first = pool.run(job('a'), never);
    const second = pool.run(job('b'), withdrawn.signal);
    const third = pool.run(job('c'), never);
    withdrawn.abort();

    await expect(second).rejects.toMatchObject({ status: status.CANCELLED });
    await expect(pool.run(job('d'), AbortSignal.abort())).rejects.toMatchObject({
      status: status.CANCELLED,
    });
    one.finish();
    await first;
    await expect.poll(() => one.started).toEqual(['a', 'c']);
    one.finish();
    await third;
  });

  it('replaces a thread that died, with a growing pause while that fails', async () => {
    const [one, two] = [scriptedThread(), scriptedThread()];
    const pausesMs: number[] = [];
    const threads = [one];
    const clock: Clock = {
      ...systemClock,
      async sleep(delayMs) {
        pausesMs.push(delayMs);
        if (pausesMs.length === 3) threads.push(two);
      },
    };
    const start = async () => {
      const next = threads.shift();
      if (!next) throw new Error('not yet');
      return next.thread;
    };
    await using pool = await openSessionPool({ size: 1, start, clock, ...rest });
    const lost = pool.run(job('a'), never);
    const kept = pool.run(job('b'), never);
    one.die();

    await expect(lost).rejects.toThrow('died');
    await expect.poll(() => two.started).toEqual(['b']);
    two.finish();
    await kept;
    expect(pausesMs).toEqual([50, 100, 200]);
    expect(pool.alive).toBe(1);
  });

  it('offers a graph again that could not be loaded, after a pause that grows while it still cannot', async () => {
    const one = scriptedThread();
    const clock = createManualClock();
    await using pool = await openScripted([one], clock);
    const start = async () => {
      const count = one.started.length;
      const run = pool.run(job('a'), never);
      await expect.poll(() => one.started.length).toBe(count + 1);
      return { run };
    };
    const failToLoad = async () => {
      const { run } = await start();
      one.fail(new KserveError(status.UNAVAILABLE, "'a' version 1 is not at ready state: damaged"));
      await expect(run).rejects.toMatchObject({ reason: 'NOT_LOADED' });
      expect(pool.isLoadable('/x.onnx')).toBe(false);
    };

    for (const pauseMs of [5_000, 10_000, 20_000]) {
      await failToLoad();
      clock.advance(pauseMs - 1);
      expect(pool.isLoadable('/x.onnx')).toBe(false);
      clock.advance(1);
      expect(pool.isLoadable('/x.onnx')).toBe(true);
    }
    const { run } = await start();
    one.finish();
    await run;
    await failToLoad();
    clock.advance(5_000);
    expect(pool.isLoadable('/x.onnx')).toBe(true);
  });

  it('refuses what waits when it is closed, and whatever comes later', async () => {
    const one = scriptedThread();
    const pool = await openScripted([one]);
    const running = pool.run(job('a'), never);
    const waiting = pool.run(job('b'), never);
    const refused = { status: status.UNAVAILABLE, message: 'Server exiting' };
    const outcome = expect(waiting).rejects.toMatchObject(refused);
    const closing = pool[Symbol.asyncDispose]();

    await outcome;
    one.finish();
    await running;
    await closing;
    await expect(pool.run(job('c'), never)).rejects.toMatchObject(refused);
    expect(one.started).toEqual(['a']);
  });

  it('ends the threads that did start when one cannot', async () => {
    const one = scriptedThread();
    const starts = [async () => one.thread, () => Promise.reject(new Error('damaged'))];
    const start = () => (starts.shift() ?? starts[0])?.() ?? Promise.reject(new Error('none'));
    const opening = openSessionPool({ size: 2, start, clock: systemClock, ...rest });
    await expect(opening).rejects.toThrow('damaged');
    expect(await one.thread.ended).toBe('disposed');
  });
});

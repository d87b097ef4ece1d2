import { describe, expect, it } from 'vitest';
import type { Rows } from './engines.ts';
import { EngineError } from './engines.ts';
import { createCallMeter } from './figures.ts';
import type { Lane } from './lane.ts';
import { createLane } from './lane.ts';
import { createManualClock } from '../../test/support/manual-clock.ts';

const part = { model: 'pico.unet_cfg', version: '1', outputs: [] };

interface Sent {
  readonly values: readonly number[];
  readonly signal: AbortSignal;
  answer(): void;
  fail(error: unknown): void;
}

/** A lane on an engine that answers each row with its double, when it is told to. */
function startLane({ rowsMax = 8, instances = 1 } = {}) {
  const clock = createManualClock();
  const meter = createCallMeter(clock);
  const sent: Sent[] = [];
  const infer = (_: unknown, { x }: Rows, signal: AbortSignal): Promise<Rows> => {
    const { promise, resolve, reject } = Promise.withResolvers<Rows>();
    const values = [...(x?.data ?? [])];
    const answer = () =>
      resolve({ y: { shape: x?.shape ?? [], data: Float32Array.from(values, (v) => 2 * v) } });
    sent.push({ values, signal, answer, fail: reject });
    return promise;
  };
  return {
    clock,
    meter,
    sent,
    lane: createLane({ part, rowsMax, instances }, { engines: { infer }, clock, meter }),
  };
}

const never = new AbortController().signal;

function ask(lane: Lane, values: readonly number[], more: object = {}) {
  const rows = { x: { shape: [values.length, 1], data: Float32Array.from(values) } };
  const asker = { owner: {}, isAlone: false, withdrawn: never, lost: never, ...more };
  return lane.ask(rows, asker).then(({ y }) => [...(y?.data ?? [])]);
}

/** Everything that can go on without another answer has gone on. */
const settled = () => new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));

describe('a lane', () => {
  it('sends what is asked together in one call, and gives everyone their own rows', async () => {
    const { lane, sent } = startLane();
    const answers = Promise.all([ask(lane, [1]), ask(lane, [2, 3]), ask(lane, [4])]);
    await settled();
    expect(sent.map(({ values }) => values)).toEqual([[1, 2, 3, 4]]);
    sent[0]?.answer();
    expect(await answers).toEqual([[2], [4, 6], [8]]);
  });

  it('sends at once what it can, and lets those who come meanwhile join the next call', async () => {
    const { lane, sent } = startLane();
    const loop = async (value: number, steps: number) => {
      for (let step = 0; step < steps; step += 1) await ask(lane, [value]);
    };
    const first = loop(1, 3);
    await settled();
    const others = Promise.all([loop(2, 2), loop(3, 1)]);
    for (let call = 0; call < 3; call += 1) {
      await settled();
      sent[call]?.answer();
    }
    await Promise.all([first, others]);
    // The first job's next step goes with the newcomers: it had asked again before the call was formed.
    expect(sent.map(({ values }) => values)).toEqual([[1], [2, 3, 1], [2, 1]]);
  });

  it('has as many calls in flight as the engine has instances, with the rows spread evenly', async () => {
    const { lane, sent } = startLane({ instances: 2 });
    const answers = Promise.all(Array.from({ length: 6 }, (_, index) => ask(lane, [index])));
    await settled();
    expect(sent.map(({ values }) => values)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    sent.forEach((call) => call.answer());
    expect(await answers).toHaveLength(6);
  });

  it('takes back a request that waits, and lets one in a call go on', async () => {
    const { lane, sent } = startLane();
    const stop = new AbortController();
    const running = ask(lane, [1], { withdrawn: stop.signal });
    await settled();
    const waiting = expect(ask(lane, [2], { withdrawn: stop.signal })).rejects.toThrow('stopped');
    stop.abort(new Error('stopped'));
    await waiting;
    await expect(ask(lane, [3], { withdrawn: stop.signal })).rejects.toThrow('stopped');
    sent[0]?.answer();
    expect(await running).toEqual([2]);
    await settled();
    expect(sent).toHaveLength(1);
  });

  it('cuts a call short only when everybody in it has lost their job', async () => {
    const { lane, sent } = startLane();
    const [mine, yours] = [new AbortController(), new AbortController()];
    const mineLost = expect(ask(lane, [1], { lost: mine.signal })).rejects.toThrow('gone');
    const yoursLost = expect(ask(lane, [2], { lost: yours.signal })).rejects.toThrow('gone');
    await settled();
    mine.abort(new Error('gone'));
    await mineLost;
    expect(sent[0]?.signal.aborted).toBe(false);
    yours.abort(new Error('gone'));
    await yoursLost;
    expect(sent[0]?.signal.aborted).toBe(true);
  });

  it('gives each job of a call that the engine refused a call of its own, and fails only the guilty one', async () => {
    const { lane, sent } = startLane();
    const refusal = new EngineError('FAILED', 'the model raised', { fault: 'request' });
    const innocent = Promise.all([ask(lane, [1]), ask(lane, [3])]);
    const guilty = expect(ask(lane, [2])).rejects.toBe(refusal);
    for (let call = 0; call < 4; call += 1) {
      await settled();
      if (sent[call]?.values.includes(2)) sent[call]?.fail(refusal);
      else sent[call]?.answer();
    }
    expect(sent.map(({ values }) => values)).toEqual([[1, 3, 2], [1], [3], [2]]);
    expect(await innocent).toEqual([[2], [6]]);
    await guilty;
  });

  it("fails everybody in a call that failed by the node's fault", async () => {
    const { lane, sent } = startLane();
    const fault = new EngineError('UNREACHABLE', 'the node is gone', { fault: 'node' });
    const outcomes = Promise.allSettled([ask(lane, [1]), ask(lane, [2])]);
    await settled();
    sent[0]?.fail(fault);
    expect(await outcomes).toEqual([
      { status: 'rejected', reason: fault },
      { status: 'rejected', reason: fault },
    ]);
  });

  it('lets a job that must be alone share no call', async () => {
    const { lane, sent } = startLane();
    const answers = Promise.all([ask(lane, [1], { isAlone: true }), ask(lane, [2]), ask(lane, [3])]);
    await settled();
    sent[0]?.answer();
    await settled();
    sent[1]?.answer();
    await answers;
    expect(sent.map(({ values }) => values)).toEqual([[1], [2, 3]]);
  });

  it('counts calls, rows, busy time and the time for which an instance waited for work in progress', async () => {
    const { lane, sent, meter, clock } = startLane();
    const owner = {};
    const first = ask(lane, [1, 2], { owner });
    await settled();
    expect(meter.read()).toMatchObject({ rowsInFlight: 2, unetCalls: 0, unetRows: 0 });
    clock.advance(100);
    sent[0]?.answer();
    await first;
    clock.advance(5);
    const second = ask(lane, [1, 2], { owner });
    await settled();
    clock.advance(20);
    sent[1]?.answer();
    await second;
    // Nobody was at work in this time: no gap.
    clock.advance(1_000);
    void ask(lane, [3]);
    await settled();
    expect(meter.read()).toEqual({
      rowsInFlight: 1,
      unetCalls: 2,
      unetRows: 4,
      busyMs: 120,
      gapMs: 5,
      gaps: 2,
    });
  });

  it('counts only calls that were answered, so that rows per call are those of real calls', async () => {
    const { lane, sent, meter } = startLane();
    const failed = Promise.allSettled([ask(lane, [1]), ask(lane, [2])]);
    await settled();
    sent[0]?.fail(new EngineError('UNREACHABLE', 'refused', { fault: 'node', wasSent: false }));
    await failed;
    const answered = ask(lane, [1, 2, 3]);
    await settled();
    sent[1]?.answer();
    await answered;
    await settled();
    expect(meter.read()).toMatchObject({ rowsInFlight: 0, unetCalls: 1, unetRows: 3 });
  });
});

import { describe, expect, it, vi } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { silentLog } from '../../test/support/silent-log.ts';
import { systemRandom } from '../kernel/random.ts';
import { createDoubts } from './doubts.ts';
import type { EngineErrorCode, Engines, Part, Rows } from './engines.ts';
import { EngineError } from './engines.ts';
import type { NodeConnection } from './node-connector.ts';

const never = new AbortController().signal;
const part: Part = { model: 'pico.unet', version: '1', outputs: [] };
const rowsOf = (size: number): Rows => ({
  x: { shape: [2, size], data: new Float32Array(2 * size).fill(7) },
});

function open() {
  const clock = createManualClock();
  const node: { fault: EngineErrorCode | null } = { fault: null };
  const infer = vi.fn<Engines['infer']>(async () => {
    if (node.fault) throw new EngineError(node.fault, node.fault, { fault: 'node' });
    return {};
  });
  const unload = vi.fn<NodeConnection['unload']>(async () => {});
  const load = vi.fn<NodeConnection['load']>(async () => {
    node.fault = null;
  });
  const connection = { engines: { infer }, load, unload };
  const doubts = createDoubts({ node: 'a', connection, clock, random: systemRandom, logger: silentLog });
  return {
    clock,
    node,
    infer,
    load,
    unload,
    doubts,
    call: (rows = rowsOf(1)) => doubts.engines.infer(part, rows, never).catch(() => null),
    isOut: () => doubts.isOut({ name: 'pico.unet', version: '1' }),
  };
}

describe('a model on which a call failed', () => {
  it.each<EngineErrorCode>(['CRASHED', 'FAILED', 'BAD_ANSWER', 'TIMED_OUT', 'NOT_LOADED', 'REFUSED'])(
    '(%s) is out until it has answered a trial, which is due at once',
    async (fault) => {
      const { node, doubts, call, isOut } = open();
      node.fault = fault;
      await call();
      expect([isOut(), doubts.isDue()]).toEqual([true, true]);
      node.fault = null;
      await doubts.tryDue(never);
      expect([isOut(), doubts.dueAtMs()]).toEqual([false, Infinity]);
    },
  );

  it.each<EngineErrorCode>(['UNREACHABLE', 'DRAINING', 'OVERLOADED', 'CANCELLED'])(
    '(%s) is what it was: that is the node',
    async (fault) => {
      const { node, call, isOut } = open();
      node.fault = fault;
      await call();
      expect(isOut()).toBe(false);
    },
  );

  it('is tried later each time it fails the trial, half a minute apart at most', async () => {
    const { node, clock, doubts, call } = open();
    node.fault = 'BAD_ANSWER';
    await call();
    const waits: number[] = [];
    for (let trial = 0; trial < 8; trial += 1) {
      await doubts.tryDue(never);
      waits.push(doubts.dueAtMs() - clock.monotonicMs());
      clock.advance(waits.at(-1) ?? 0);
    }
    for (const [i, ceilingMs] of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000].entries()) {
      expect(waits[i]).toBeGreaterThanOrEqual(ceilingMs / 2);
      expect(waits[i]).toBeLessThanOrEqual(ceilingMs);
    }
  });

  it('stays out for a while when it passes trials and fails the next call again', async () => {
    const { node, doubts, call } = open();
    for (const isDue of [true, false]) {
      node.fault = 'BAD_ANSWER';
      await call();
      node.fault = null;
      expect(doubts.isDue()).toBe(isDue);
      await doubts.tryDue(never);
    }
  });

  it('is forgotten once the node itself says that it does not have it', async () => {
    const { node, doubts, call, isOut } = open();
    node.fault = 'NOT_LOADED';
    await call();
    await doubts.tryDue(never);
    doubts.heed([{ name: 'pico.unet', version: '1' }]);
    expect(isOut()).toBe(true);
    doubts.heed([{ name: 'pico.unet_cfg', version: '1' }]);
    expect(isOut()).toBe(false);
  });

  it('is forgiven by a call that succeeds', async () => {
    const { node, doubts, call } = open();
    for (let again = 0; again < 2; again += 1) {
      node.fault = 'BAD_ANSWER';
      await call();
      node.fault = null;
      expect(doubts.isDue()).toBe(true);
      await doubts.tryDue(never);
      await call();
    }
  });

  it('is tried with zeros in a form that it has answered, and with nothing of a job', async () => {
    const { node, infer, doubts, call } = open();
    await call(rowsOf(3));
    node.fault = 'FAILED';
    await call(rowsOf(5));
    await doubts.tryDue(never);
    expect(infer.mock.lastCall?.slice(0, 2)).toEqual([
      part,
      { x: { shape: [1, 3], data: new Float32Array(3) } },
    ]);
  });
});

describe('a model whose process died', () => {
  it('and is dead at the trial is unloaded, loaded, and tried once more', async () => {
    const { node, infer, load, unload, doubts, call, isOut } = open();
    node.fault = 'CRASHED';
    await call();
    await doubts.tryDue(never);
    expect([unload.mock.calls, load.mock.calls]).toEqual([[['pico.unet', never]], [['pico.unet', never]]]);
    expect(infer).toHaveBeenCalledTimes(3);
    expect(isOut()).toBe(false);
  });

  it('and answers the trial is left alone, unless that happens again within a minute', async () => {
    const { node, clock, unload, doubts, call } = open();
    const crash = async () => {
      node.fault = 'CRASHED';
      await call();
      node.fault = null;
      clock.advance(1_000);
      await doubts.tryDue(never);
      await call();
    };
    await crash();
    clock.advance(60_000);
    await crash();
    expect(unload).not.toHaveBeenCalled();
    await crash();
    expect(unload).toHaveBeenCalledOnce();
  });

  it('stays out where the node loads nothing, and is loaded later when it was unloaded and not loaded', async () => {
    const { node, clock, load, unload, doubts, call, isOut } = open();
    node.fault = 'CRASHED';
    await call();
    load.mockImplementationOnce(async () => {
      node.fault = 'NOT_LOADED';
      throw new EngineError('TIMED_OUT', 'x', { fault: 'node' });
    });
    await doubts.tryDue(never);
    expect(isOut()).toBe(true);
    clock.advance(1_000);
    await doubts.tryDue(never);
    expect(isOut()).toBe(false);
    expect(unload).toHaveBeenCalledOnce();
    expect(load).toHaveBeenCalledTimes(2);
  });
});

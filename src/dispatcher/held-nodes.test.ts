import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import type { Fleet, HeldNode } from '../domains/fleet/index.ts';
import type { Id } from '../kernel/ids.ts';
import { systemRandom } from '../kernel/random.ts';
import { EngineError } from './engines.ts';
import { createCallMeter } from './figures.ts';
import { createHeldNodes } from './held-nodes.ts';
import type { NodeReport } from './node-connector.ts';
import { DEFAULT_DISPATCHER_SETTINGS } from './settings.ts';

const settled = () => new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
const never = new AbortController().signal;
const node: HeldNode = { id: 'node_A' as Id<'node'>, address: 'grpc://a:1', name: 'a', fence: 1 };

const reportOf = (parts: readonly string[], ready = true): NodeReport => ({
  server: 'x',
  version: '1',
  ready,
  models: parts.map((part) => ({ name: `pico.${part}`, version: '1', maxBatch: 8, instances: 1 })),
});
const WHOLE = reportOf(['text_encoder', 'unet', 'vae_decoder']);

/** The nodes of a dispatcher that holds one, which answers probes as `describe` says. */
function openNodes() {
  const clock = createManualClock();
  const free = [node];
  const probed = { answer: (): NodeReport => WHOLE };
  const fleet = {
    hold: async () => free.splice(0),
    markReady: async () => {},
    markLost: async () => {},
  } as unknown as Fleet;
  const nodes = createHeldNodes('dsp_A' as Id<'dispatcher'>, {
    fleet,
    connector: {
      connect: () => ({
        engines: { infer: async () => ({}) },
        describe: async () => probed.answer(),
        [Symbol.asyncDispose]: async () => {},
      }),
    },
    clock,
    random: systemRandom,
    logger: { info: () => {}, warn: () => {}, error: () => {} },
    settings: DEFAULT_DISPATCHER_SETTINGS,
    meter: createCallMeter(clock),
    onSuspect: () => {},
    onReady: () => {},
  });
  return {
    probed,
    /** The engines that are given work after a look at the node that is due. */
    async look() {
      clock.advance(10_000);
      await nodes.tend(never);
      await settled();
      return nodes.ready().flatMap(({ engines }) => [...engines.keys()]);
    },
  };
}

describe('a held node', () => {
  it('that is ready before its models are is given work once it has all that a job needs', async () => {
    const { probed, look } = openNodes();
    probed.answer = () => reportOf([]);
    expect(await look()).toEqual([]);
    probed.answer = () => reportOf(['text_encoder', 'unet']);
    expect(await look()).toEqual([]);
    probed.answer = () => WHOLE;
    expect(await look()).toEqual(['pico:1']);
  });

  it('is given no more work when it drains or is gone, and again when it is back', async () => {
    const { probed, look } = openNodes();
    expect(await look()).toEqual(['pico:1']);
    probed.answer = () => reportOf(['text_encoder', 'unet', 'vae_decoder'], false);
    expect(await look()).toEqual([]);
    probed.answer = () => WHOLE;
    expect(await look()).toEqual(['pico:1']);
    probed.answer = () => {
      throw new EngineError('UNREACHABLE', 'refused', { fault: 'node' });
    };
    expect(await look()).toEqual([]);
  });

  it('keeps its work when it is merely slow to answer', async () => {
    const { probed, look } = openNodes();
    await look();
    probed.answer = () => {
      throw new EngineError('TIMED_OUT', 'slow', { fault: 'node' });
    };
    expect(await look()).toEqual(['pico:1']);
  });
});

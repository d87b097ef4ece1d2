import { describe, expect, it, vi } from 'vitest';
import { createManualClock, moveUntil } from '../../test/support/manual-clock.ts';
import { silentLog } from '../../test/support/silent-log.ts';
import type { Fleet, HeldNode } from '../domains/fleet/index.ts';
import type { Id } from '../kernel/ids.ts';
import { systemRandom } from '../kernel/random.ts';
import type { Part, Rows } from './engines.ts';
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

type Answer = (address: string) => NodeReport | Promise<NodeReport>;

/** The nodes of a dispatcher that holds `held`, which answer probes and closing as `probed` says. */
function openNodes(held: readonly HeldNode[] = [node]) {
  const clock = createManualClock();
  const free = [...held];
  const probed: { answer: Answer; infer: (part: Part) => Promise<Rows>; close: () => Promise<void> } = {
    answer: () => WHOLE,
    infer: async () => ({}),
    close: async () => {},
  };
  const lost: string[] = [];
  const kept = new Set(held.map(({ id }) => id));
  const fleet = {
    hold: async () => free.splice(0),
    renew: async () => [...kept],
    release: async () => {},
    markReady: async () => {},
    markLost: async ({ name }: HeldNode) => void lost.push(name),
  } as unknown as Fleet;
  const onSuspect = vi.fn<() => void>();
  const nodes = createHeldNodes('dsp_A' as Id<'dispatcher'>, {
    fleet,
    connector: {
      connect: (address) => ({
        engines: { infer: (part) => probed.infer(part) },
        load: async () => {},
        unload: async () => {},
        describe: async () => probed.answer(address),
        [Symbol.asyncDispose]: () => probed.close(),
      }),
    },
    clock,
    random: systemRandom,
    logger: silentLog,
    settings: DEFAULT_DISPATCHER_SETTINGS,
    meter: createCallMeter(clock),
    onSuspect,
    onReady: () => {},
  });
  return {
    nodes,
    clock,
    probed,
    lost,
    kept,
    onSuspect,
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

const other: HeldNode = { id: 'node_B' as Id<'node'>, address: 'grpc://b:1', name: 'b', fence: 1 };
const refused = () => {
  throw new EngineError('UNREACHABLE', 'refused', { fault: 'node' });
};

describe('a node that a call failed on', () => {
  it('is given no work and asked how it is before it is judged', async () => {
    const { nodes, probed, lost, look, onSuspect } = openNodes();
    await look();
    nodes.suspect(node);
    expect(nodes.ready()).toEqual([]);
    expect(onSuspect).toHaveBeenCalledOnce();
    expect(lost).toEqual([]);
    await nodes.tend(never);
    await settled();
    expect(nodes.ready()).toHaveLength(1);

    nodes.suspect(node);
    probed.answer = refused;
    await nodes.tend(never);
    await settled();
    expect(lost).toEqual(['a']);
    expect(await look()).toEqual([]);
  });

  it('is not cleared by an answer to a question that was asked before', async () => {
    const { nodes, probed, clock, onSuspect, look } = openNodes();
    await look();
    const early = Promise.withResolvers<NodeReport>();
    probed.answer = () => early.promise;
    clock.advance(10_000);
    await nodes.tend(never);
    nodes.suspect(node);
    early.resolve(WHOLE);
    await settled();
    expect(nodes.ready()).toEqual([]);

    // Once when it is suspected, and once more when the question that was open is out of the way.
    expect(onSuspect).toHaveBeenCalledTimes(2);
    probed.answer = () => WHOLE;
    await nodes.tend(never);
    await settled();
    expect(nodes.ready()).toHaveLength(1);
  });
});

describe('a node of which one model fails', () => {
  const PARTS = ['text_encoder', 'unet', 'unet_cfg', 'vae_decoder'];
  const part: Part = { model: 'pico.unet_cfg', version: '1', outputs: [] };
  const ask = { part, rowsMax: 8, instances: 1, isEvaluation: true };
  const row: Rows = { x: { shape: [1, 1], data: new Float32Array(1) } };
  const askerOf = () => {
    const { signal } = new AbortController();
    return { owner: {}, isAlone: false, withdrawn: signal, lost: signal };
  };

  it('is given the jobs that do without it, and all once it answers', async () => {
    const { nodes, probed, clock } = openNodes();
    const parts = () =>
      nodes.ready().flatMap(({ engines }) => [...(engines.get('pico:1')?.parts.keys() ?? [])]);
    const tend = async () => {
      await nodes.tend(never);
      await settled();
    };
    probed.answer = () => reportOf(PARTS);
    await tend();
    expect(parts()).toEqual(PARTS);

    probed.infer = async () => {
      throw new EngineError('BAD_ANSWER', 'x', { fault: 'node' });
    };
    await expect(nodes.ready()[0]?.lanes.ask(ask, row, askerOf())).rejects.toThrow('x');
    nodes.suspect(node);
    await tend();
    expect(parts()).toEqual(['text_encoder', 'unet', 'vae_decoder']);

    probed.infer = async () => ({});
    clock.advance(1_000);
    await tend();
    expect(parts()).toEqual(PARTS);
  });
});

describe('a node that hangs', () => {
  it('keeps no other from being renewed, probed and used', async () => {
    const { nodes, probed, clock, kept } = openNodes([node, other]);
    const hang = new Promise<never>(() => {});
    probed.answer = (address) => (address === node.address ? hang : WHOLE);
    probed.close = () => hang;
    await nodes.tend(never);
    await settled();
    expect(nodes.ready().map((each) => each.node.name)).toEqual(['b']);

    kept.delete(node.id);
    await nodes.renew();
    probed.answer = () => reportOf([]);
    clock.advance(10_000);
    await nodes.tend(never);
    await settled();
    expect(nodes.ready().flatMap(({ engines }) => [...engines.keys()])).toEqual([]);
  });

  it('does not keep the dispatcher from ending', async () => {
    const { nodes, probed, clock, look } = openNodes();
    probed.close = () => new Promise(() => {});
    await look();
    await expect(moveUntil(clock, nodes[Symbol.asyncDispose]())).resolves.toBeUndefined();
  });
});

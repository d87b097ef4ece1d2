import { describe, expect, it } from 'vitest';
import { createEngines, describeNode } from '../../src/backends/engines/index.ts';
import type { Part, Rows } from '../../src/dispatcher/engines.ts';
import { connectKserve, status } from '../../src/platform/kserve/index.ts';
import { startFaultyNode, type FaultyReply } from '../support/faulty-node.ts';
import { openPicoParts, startPicoNode, stackRows, unetRow } from '../support/node.ts';

const never = new AbortController().signal;
const part: Part = {
  model: 'faulty.echo',
  version: '1',
  outputs: [{ name: 'y', type: 'float', shape: [-1, 4, -1] }],
};
const rows: Rows = { x: { shape: [2, 4, 3], data: new Float32Array(24) } };

async function startEngines() {
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await startFaultyNode());
  const client = stack.use(connectKserve({ address: node.address, callTimeoutMs: 500 }));
  const owned = stack.move();
  return {
    node,
    client,
    engines: createEngines({ client, regions: null }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

describe('engines on a KServe node', () => {
  it('give the named outputs of a part, one row for each row', async () => {
    await using test = await startEngines();
    expect(await test.engines.infer(part, rows, never)).toEqual({
      y: { shape: [2, 4, 3], data: new Float32Array(24) },
    });
  });

  it.each<readonly [FaultyReply, string]>([
    ['missing-output', "output 'y' is missing"],
    ['short-output', 'has 92 bytes, not the 96 of its shape'],
    ['empty-output', 'has 0 bytes, not the 96 of its shape'],
    ['wrong-shape', "output 'y' is FP32 [1,24], not FP32 [2,4,-1]"],
    ['wrong-type', "output 'y' is INT32 [2,4,3], not FP32 [2,4,-1]"],
    ['wrong-version', 'version 1 was asked for and 2 answered'],
    ['garbage', 'Response message parsing error'],
  ])("refuse an answer with %s as the node's fault", async (reply, text) => {
    await using test = await startEngines();
    test.node.reply = reply;
    await expect(test.engines.infer(part, rows, never)).rejects.toMatchObject({
      name: 'EngineError',
      code: 'BAD_ANSWER',
      fault: 'node',
      message: expect.stringContaining(text) as string,
    });
  });

  it('let NaN through: whether a number is one is for who knows what it means', async () => {
    await using test = await startEngines();
    test.node.reply = 'nan-output';
    const answer = await test.engines.infer(part, rows, never);
    expect(answer.y?.data.every((value) => Number.isNaN(value))).toBe(true);
  });

  it.each<readonly [FaultyReply, string, string]>([
    ['hang', 'TIMED_OUT', 'node'],
    ['drop', 'UNREACHABLE', 'node'],
    [{ code: status.UNAVAILABLE, details: 'Server exiting' }, 'DRAINING', 'node'],
    [{ code: status.UNAVAILABLE, details: 'Connection dropped' }, 'UNREACHABLE', 'node'],
    [{ code: status.UNAVAILABLE, details: 'Exceeds maximum queue size' }, 'OVERLOADED', 'node'],
    [{ code: status.UNAVAILABLE, details: "'u' version 1 is not at ready state" }, 'NOT_LOADED', 'node'],
    [
      { code: status.UNAVAILABLE, details: "This protocol is restricted, expecting header 'k'" },
      'REFUSED',
      'node',
    ],
    [
      { code: status.NOT_FOUND, details: "Request for unknown model: 'u' is not found" },
      'NOT_LOADED',
      'node',
    ],
    [
      { code: status.INVALID_ARGUMENT, details: "unexpected shape for input 'x' for model 'u'" },
      'REFUSED',
      'request',
    ],
    [
      { code: status.INTERNAL, details: "Failed to process the request(s) for model 'u', message: boom" },
      'FAILED',
      'request',
    ],
    [{ code: status.INTERNAL, details: "Stub process 'u_0_0' is not healthy." }, 'CRASHED', 'node'],
    [{ code: status.INTERNAL, details: 'Failed to allocate memory for requested buffer' }, 'FAILED', 'node'],
    [{ code: status.INTERNAL, details: 'CUDA out of memory. Tried to allocate' }, 'FAILED', 'node'],
    [{ code: status.UNIMPLEMENTED, details: 'no such method' }, 'REFUSED', 'node'],
    [{ code: status.UNKNOWN, details: '?' }, 'FAILED', 'node'],
  ])('say of %j that it is %s, the fault of the %s', async (reply, code, fault) => {
    await using test = await startEngines();
    test.node.reply = reply;
    await expect(test.engines.infer(part, rows, never)).rejects.toMatchObject({
      name: 'EngineError',
      code,
      fault,
    });
    expect(test.node.calls).toBe(1);
  });

  it('tell a call that was cut off from one that never left', async () => {
    const test = await startEngines();
    test.node.reply = 'drop';
    await expect(test.engines.infer(part, rows, never)).rejects.toMatchObject({ wasSent: true });
    await test.node[Symbol.asyncDispose]();
    await expect(test.engines.infer(part, rows, never)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      fault: 'node',
      wasSent: false,
    });
    await test[Symbol.asyncDispose]();
  });

  it('reject with CANCELLED when the signal fires first', async () => {
    await using test = await startEngines();
    const stop = new AbortController();
    test.node.reply = 'hang';
    const outcome = expect(test.engines.infer(part, rows, stop.signal)).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    await test.node.until(() => test.node.calls === 1);
    stop.abort();
    await outcome;
  });
});

describe('describeNode', () => {
  it('tells how many rows and calls each model of the embedded node takes', async () => {
    await using node = await startPicoNode({ bundles: [await openPicoParts('text_encoder')], workers: 1 });
    await using client = connectKserve({ address: node.address, callTimeoutMs: 5_000 });
    expect(await describeNode(client)).toMatchObject({
      address: node.address,
      server: 'darkroom',
      live: true,
      ready: true,
      models: [
        {
          name: 'pico.text_encoder',
          version: '1',
          maxBatch: 8,
          instances: 1,
          inputs: ['input_ids'],
          outputs: ['hidden_states', 'hidden_states_clip_skip_2'],
        },
      ],
    });
  });

  it('rejects with UNREACHABLE when nothing listens there', async () => {
    const test = await startEngines();
    await test.node[Symbol.asyncDispose]();
    await expect(describeNode(test.client)).rejects.toMatchObject({ code: 'UNREACHABLE', fault: 'node' });
    await test[Symbol.asyncDispose]();
  });
});

describe('engines on the embedded node', () => {
  it('run pico.unet_cfg on stacked rows and give back as many', async () => {
    const bundle = await openPicoParts('unet_cfg');
    await using node = await startPicoNode({ bundles: [bundle], workers: 1 });
    await using client = connectKserve({ address: node.address, callTimeoutMs: 30_000 });
    const unet = {
      model: 'pico.unet_cfg',
      version: '1',
      outputs: bundle.manifest.parts.unet_cfg?.outputs ?? [],
    };
    const answer = await createEngines({ client, regions: null }).infer(
      unet,
      stackRows([unetRow(0), unetRow(1)]),
      never,
    );
    expect(answer.noise_pred?.shape).toEqual([2, 4, 16, 16]);
    expect(answer.noise_pred?.data.every(Number.isFinite)).toBe(true);
  });
});

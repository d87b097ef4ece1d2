import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { StartError } from '../../src/kernel/errors.ts';
import { connectKserve, status } from '../../src/platform/kserve/index.ts';
import { startFaultyNode } from '../support/faulty-node.ts';
import { inferRequest } from '../support/node.ts';

const request = {
  ...inferRequest('faulty.echo', { x: { shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) } }),
  outputs: [{ name: 'y' }],
};
const LONG_MS = 60_000;

/** An AbortSignal that says how many listeners it has. */
function countedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners -= 1;
    remove(...args);
  };
  return { controller, signal, listeners: () => listeners };
}

describe('the deadline', () => {
  it('ends a call when a node stays silent', async () => {
    await using node = await startFaultyNode();
    await using client = connectKserve({ address: node.address, callTimeoutMs: 250 });
    await expect.poll(() => client.serverLive().catch(() => false)).toBe(true);
    node.reply = 'hang';

    await expect(client.modelInfer(request)).rejects.toMatchObject({
      name: 'KserveError',
      status: status.DEADLINE_EXCEEDED,
      retryable: false,
    });
    await node.until(() => node.cancelled === 1);
  });

  it('holds before the connection stands: a server that accepts and says nothing', async () => {
    const mute = createServer(() => {}).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port } = mute.address() as AddressInfo;
    await using client = connectKserve({ address: `127.0.0.1:${port}`, callTimeoutMs: 50 });

    await expect(client.serverLive()).rejects.toMatchObject({ status: status.DEADLINE_EXCEEDED });
    mute.close();
  });

  it('of a probe is its own, so that a call may be long and a probe short', async () => {
    await using node = await startFaultyNode();
    await using client = connectKserve({
      address: node.address,
      callTimeoutMs: LONG_MS,
      probeTimeoutMs: 250,
    });
    await expect.poll(() => client.serverLive().catch(() => false)).toBe(true);
    node.freeze();

    await expect(client.serverLive()).rejects.toMatchObject({ status: status.DEADLINE_EXCEEDED });
  });
});

describe('abort', () => {
  it('cancels the call at the node, rejects with CANCELLED and leaves no listener', async () => {
    await using node = await startFaultyNode();
    await using client = connectKserve({ address: node.address, callTimeoutMs: LONG_MS });
    const { controller, signal, listeners } = countedSignal();
    node.reply = 'hang';

    const call = client.modelInfer(request, signal);
    const outcome = expect(call).rejects.toMatchObject({ status: status.CANCELLED, retryable: false });
    await node.until(() => node.calls === 1);
    expect(listeners()).toBe(1);
    controller.abort();

    await outcome;
    expect(listeners()).toBe(0);
    await node.until(() => node.cancelled === 1);
  });

  it('before the call means that nothing is sent', async () => {
    await using node = await startFaultyNode();
    await using client = connectKserve({ address: node.address, callTimeoutMs: LONG_MS });
    const { controller, signal, listeners } = countedSignal();
    controller.abort();

    await expect(client.modelInfer(request, signal)).rejects.toMatchObject({ status: status.CANCELLED });
    expect(listeners()).toBe(0);
    expect(node.calls).toBe(0);
  });

  it.each([
    ['an answer', 'ok'],
    ['an error', { code: status.INTERNAL, details: 'boom' }],
    ['a broken connection', 'drop'],
    ['garbage', 'garbage'],
  ] as const)('leaves no listener after %s', async (_, reply) => {
    await using node = await startFaultyNode();
    await using client = connectKserve({ address: node.address, callTimeoutMs: LONG_MS });
    const { signal, listeners } = countedSignal();
    node.reply = reply;

    await client.modelInfer(request, signal).catch(() => {});
    expect(listeners()).toBe(0);
  });

  it('happens to the calls in flight when the client is disposed of', async () => {
    await using node = await startFaultyNode();
    const client = connectKserve({ address: node.address, callTimeoutMs: LONG_MS });
    node.reply = 'hang';

    const outcome = expect(client.modelInfer(request)).rejects.toMatchObject({ status: status.CANCELLED });
    await node.until(() => node.calls === 1);
    await client[Symbol.asyncDispose]();
    await outcome;
  });

  it.each([
    ['is being opened', 'before'],
    ['has been closed', 'after'],
  ])('is what a call meets whose connection %s when the client is disposed of', async (_, when) => {
    await using node = await startFaultyNode();
    const client = connectKserve({ address: node.address, callTimeoutMs: LONG_MS });
    const { signal, listeners } = countedSignal();

    const early = when === 'before' ? client.modelInfer(request, signal) : null;
    const closed = client[Symbol.asyncDispose]();
    const call = early ?? client.modelInfer(request, signal);

    await expect(call).rejects.toMatchObject({
      name: 'KserveError',
      status: status.CANCELLED,
      message: expect.stringContaining(node.address) as string,
    });
    await closed;
    expect(listeners()).toBe(0);
    expect(node.calls).toBe(0);
  });
});

describe('the connection', () => {
  it('refused is UNAVAILABLE, at once and retryable', async () => {
    const node = await startFaultyNode();
    await node[Symbol.asyncDispose]();
    await using client = connectKserve({ address: node.address, callTimeoutMs: LONG_MS });

    await expect(client.modelInfer(request)).rejects.toMatchObject({
      status: status.UNAVAILABLE,
      retryable: true,
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
  });

  it('broken in the middle of a call is UNAVAILABLE, and the next call connects again', async () => {
    await using node = await startFaultyNode();
    await using client = connectKserve({ address: node.address, callTimeoutMs: LONG_MS });
    node.reply = 'drop';
    await expect(client.modelInfer(request)).rejects.toMatchObject({
      status: status.UNAVAILABLE,
      retryable: true,
    });

    node.reply = 'ok';
    await expect.poll(() => client.serverLive().catch(() => false)).toBe(true);
    expect(await client.modelInfer(request)).toMatchObject({ model_name: 'faulty.echo' });
  });

  it('that goes dead is found by keepalive, long before the deadline', async () => {
    await using node = await startFaultyNode();
    const keepalive = { intervalMs: 50, timeoutMs: 50 };
    await using client = connectKserve({ address: node.address, callTimeoutMs: LONG_MS * 10, keepalive });
    node.reply = 'hang';

    const outcome = expect(client.modelInfer(request)).rejects.toMatchObject({ status: status.UNAVAILABLE });
    await node.until(() => node.calls === 1);
    node.freeze();
    await outcome;
  });

  it.each(['', 'host', 'http://host:80', 'grpc://host', 'grpc://host:port', 'host:80/path'])(
    'is not tried to the address %j, which is none',
    (address) => {
      expect(() => connectKserve({ address, callTimeoutMs: 1 })).toThrow(StartError);
    },
  );
});

describe('an answer', () => {
  it('larger than the limit is refused, and not asked for again', async () => {
    await using node = await startFaultyNode();
    await using client = connectKserve({
      address: node.address,
      callTimeoutMs: LONG_MS,
      answerBytesMax: 4_096,
    });
    const large = { x: { shape: [1, 2_000], data: new Float32Array(2_000) } };
    const tooLarge = { ...inferRequest('faulty.echo', large), outputs: [{ name: 'y' }] };

    await expect(client.modelInfer(tooLarge)).rejects.toMatchObject({
      status: status.RESOURCE_EXHAUSTED,
      reason: 'TOO_LARGE',
      retryable: false,
    });
  });

  it("of 12 MiB, which grpc's own limits refuse, arrives whole", async () => {
    await using node = await startFaultyNode();
    await using client = connectKserve({ address: node.address, callTimeoutMs: LONG_MS });
    const shape = [1, 3 * 2 ** 20];
    const large = { x: { shape, data: new Float32Array(3 * 2 ** 20) } };

    const answer = await client.modelInfer({
      ...inferRequest('faulty.echo', large),
      outputs: [{ name: 'y' }],
    });
    expect(answer.raw_output_contents[0]?.byteLength).toBe(12 * 2 ** 20);
  });

  it('that is no message is an error of the node, not of the request', async () => {
    await using node = await startFaultyNode();
    await using client = connectKserve({ address: node.address, callTimeoutMs: LONG_MS });
    node.reply = 'garbage';

    await expect(client.modelInfer(request)).rejects.toMatchObject({
      status: status.INTERNAL,
      reason: 'BROKEN_ANSWER',
    });
  });
});

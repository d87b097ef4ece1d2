import { once } from 'node:events';
import { copyFile, mkdtemp, rename, rm, truncate } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { StartError } from '../../src/kernel/errors.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { openSessionPool } from '../../src/node/session-pool.ts';
import { startSessionThread } from '../../src/node/session-thread.ts';
import type { InferJob } from '../../src/node/worker-messages.ts';
import type { Bundle } from '../../src/platform/bundles/index.ts';
import type { KserveClient } from '../../src/platform/kserve/index.ts';
import { connectKserve, loadKserveService, status } from '../../src/platform/kserve/index.ts';
import { inferRequest, openPico, openPicoParts, silent, startPicoNode } from '../support/node.ts';

const MODEL = 'pico.vae_decoder';

/** A decoding of `side` x `side` latents: small on the wire, whatever it takes to run. */
function decode(side: number) {
  const data = new Float32Array(4 * side * side);
  return inferRequest(MODEL, { latents: { shape: [1, 4, side, side], data } });
}

const quickRun = decode(8);
/** Takes as long as everything that must overlap with it needs. */
const longRun = decode(48);

async function startDecoder(options: Parameters<typeof startPicoNode>[0] = {}) {
  const bundles = [await openPicoParts('vae_decoder')];
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await startPicoNode({ bundles, workers: 1, ...options }));
  const client = stack.use(connectKserve({ address: node.address, callTimeoutMs: 60_000 }));
  await client.serverLive();
  const owned = stack.move();
  return { node, client, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Sends a request and returns when the node has it: calls of one connection arrive in order. */
async function begin(client: KserveClient, signal?: AbortSignal) {
  const answer = client.modelInfer(longRun, signal);
  answer.catch(() => {});
  await client.serverLive();
  return { answer };
}

describe('the embedded node', () => {
  let test: Awaited<ReturnType<typeof startDecoder>>;
  beforeAll(async () => (test = await startDecoder()));
  afterAll(() => test[Symbol.asyncDispose]());

  it('answers health calls while every worker is busy', async () => {
    const { answer } = await begin(test.client);
    let isDone = false;
    void answer.finally(() => (isDone = true));
    let answered = 0;
    while (!isDone) {
      await test.client.serverReady();
      answered += 1;
    }
    await answer;
    expect(answered).toBeGreaterThan(20);
  });

  it.each([
    ['that their callers gave up', status.CANCELLED],
    ['whose deadlines have passed', status.DEADLINE_EXCEEDED],
  ])('never runs waiting requests %s', async (_, code) => {
    const beforeMs = systemClock.monotonicMs();
    await test.client.modelInfer(longRun);
    const oneRunMs = systemClock.monotonicMs() - beforeMs;
    // Passes while the first run still has the only worker, however fast the machine is.
    await using hasty = connectKserve({ address: test.node.address, callTimeoutMs: oneRunMs / 2 });
    await expect.poll(() => hasty.serverLive().catch(() => false)).toBe(true);
    const first = await begin(test.client);
    const startMs = systemClock.monotonicMs();
    const givenUp = new AbortController();
    const send = () =>
      code === status.CANCELLED ? test.client.modelInfer(longRun, givenUp.signal) : hasty.modelInfer(longRun);
    const outcomes = Promise.allSettled(Array.from({ length: 16 }, send));
    await test.client.serverLive();
    givenUp.abort();
    expect(await outcomes).toMatchObject(
      Array.from({ length: 16 }, () => ({ status: 'rejected', reason: { status: code } })),
    );

    await first.answer;
    await test.client.modelInfer(quickRun);
    // Sixteen runs of the first's length would have come before it.
    expect(systemClock.monotonicMs() - startMs).toBeLessThan(4 * oneRunMs);
  });

  it('says UNIMPLEMENTED, and which method, to what it does not cover', async () => {
    const { ModelConfig } = loadKserveService();
    const client = new Client(test.node.address.replace('grpc://', ''), credentials.createInsecure());
    for (const method of ['TraceSetting', 'LogSettings', 'CudaSharedMemoryStatus']) {
      const outcome = await new Promise((resolve) => {
        const path = ModelConfig.path.replace('ModelConfig', method);
        const { requestSerialize, responseDeserialize } = ModelConfig;
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { name: MODEL }, resolve);
      });
      expect(outcome).toMatchObject({
        code: status.UNIMPLEMENTED,
        details: expect.stringContaining(method) as string,
      });
    }
    client.close();
  });

  it.each([
    ['a megabyte long', 'x'.repeat(2 ** 20)],
    ['not well formed', 'a\ud800b'],
    ['a prototype member', '__proto__'],
  ])('refuses a model name that is %s, and stays up', async (_, name) => {
    const unknown = { ...quickRun, model_name: name, id: name };
    await expect(test.client.modelInfer(unknown)).rejects.toMatchObject({ status: status.NOT_FOUND });
    await expect(test.client.modelConfig({ name })).rejects.toMatchObject({ status: status.NOT_FOUND });
    expect(await test.client.modelInfer(quickRun)).toMatchObject({ model_name: MODEL });
  });
});

describe('the workers', () => {
  it('run as many calls at a time as the configuration says instances', async () => {
    await using test = await startDecoder({ workers: 2 });
    const config = await test.client.modelConfig({ name: MODEL });
    expect(config.instance_group).toMatchObject([{ count: 2 }]);
    const long = await begin(test.client);
    const order: string[] = [];
    await Promise.all([
      long.answer.then(() => order.push('long')),
      test.client.modelInfer(quickRun).then(() => order.push('short')),
    ]);
    expect(order).toEqual(['short', 'long']);
  });

  it('are replaced when they die: the request in progress fails, the waiting one runs', async () => {
    const file = (await openPico()).partPath('text_encoder');
    const graphs = [{ file, inputs: ['input_ids'], outputs: ['hidden_states'], isFirstNeeded: false }];
    const entry = new URL('../support/mortal-session-worker.ts', import.meta.url);
    const start = () => startSessionThread({ graphs, checks: graphs, intraOpThreads: 1, entry });
    const statistics = { note: () => {} };
    const deps = { waitingMax: 2, statistics, clock: systemClock, random: systemRandom, logger: silent };
    await using pool = await openSessionPool({ size: 1, start, ...deps });
    const job = (model: string): InferJob => {
      const input = { name: 'input_ids', datatype: 'INT32' as const, shape: [1, 77] };
      const inputs = [{ ...input, bytes: new Uint8Array(308) }];
      return { model, file, id: '', rowsMax: 8, inputs, outputs: ['hidden_states'] };
    };
    const never = new AbortController().signal;

    const killed = expect(pool.run(job('fatal'), never)).rejects.toMatchObject({
      status: status.INTERNAL,
      reason: 'WORKER_DIED',
    });
    const waiting = pool.run(job('pico'), never);
    await killed;
    expect((await waiting)[0]).toMatchObject({ name: 'hidden_states', shape: [1, 77, 128] });
    expect(pool.alive).toBe(1);
  });
});

describe('a graph', () => {
  it('is loaded when it is first called, not when it is checked', async () => {
    const pico = await openPico();
    const file = pico.partPath('vae_decoder');
    const graphs = [{ file, inputs: ['latents'], outputs: ['images'], isFirstNeeded: false }];
    await using thread = await startSessionThread({ graphs, checks: graphs, intraOpThreads: 1 });
    expect(thread.holds(file)).toBe(false);
    const bytes = new Uint8Array(4 * 8 * 8 * 4);
    const input = { name: 'latents', datatype: 'FP32' as const, shape: [1, 4, 8, 8], bytes };
    const job = { model: MODEL, file, id: '', rowsMax: 8, inputs: [input], outputs: ['images'] };
    const { outputs } = await thread.run(job);
    expect(outputs[0]).toMatchObject({ shape: [1, 64, 64, 3] });
    expect(thread.holds(file)).toBe(true);
  });

  it('that is damaged before its first call is UNAVAILABLE and not ready until it has run, and then kept', async () => {
    await using copied = await copyTextEncoder();
    const { bundle, weights } = copied;
    // As a variant of another family's base, it is not among those that a start keeps loaded.
    const variant = { ...bundle, manifest: { ...bundle.manifest, base: 'other' } };
    await using node = await startPicoNode({ bundles: [variant], workers: 1 });
    await using client = connectKserve({ address: node.address, callTimeoutMs: 60_000 });
    const name = 'pico.text_encoder';
    const ids = { shape: [1, 77], data: new Int32Array(77) };
    const request = inferRequest(name, { input_ids: ids });
    expect(await client.modelReady({ name })).toBe(true);

    await rename(weights, `${weights}.away`);
    await expect(client.modelInfer(request)).rejects.toMatchObject({
      status: status.UNAVAILABLE,
      reason: 'NOT_LOADED',
      message: expect.stringContaining('text_encoder.onnx cannot be loaded') as string,
    });
    expect(await client.modelReady({ name })).toBe(false);
    expect(await client.repositoryIndex()).toMatchObject([{ name, state: 'UNAVAILABLE' }]);

    await rename(`${weights}.away`, weights);
    await client.modelInfer(request);
    expect(await client.modelReady({ name })).toBe(true);
    // Loaded by now, it needs its files no more.
    await rename(weights, `${weights}.away`);
    await client.modelInfer(request);
  });
});

describe('a stop', () => {
  it('lets the requests in progress end, refuses new ones and says that it goes', async () => {
    await using test = await startDecoder();
    const running = await begin(test.client);
    const waiting = await begin(test.client);
    const stopping = test.node[Symbol.asyncDispose]();

    await expect(test.client.modelInfer(quickRun)).rejects.toMatchObject({
      status: status.UNAVAILABLE,
      retryable: true,
      message: 'Server exiting',
    });
    await expect(test.client.serverReady()).rejects.toMatchObject({ reason: 'DRAINING' });
    await expect(test.client.modelReady({ name: MODEL })).rejects.toMatchObject({ reason: 'DRAINING' });
    expect(await running.answer).toMatchObject({ model_name: MODEL });
    expect(await waiting.answer).toMatchObject({ model_name: MODEL });
    await stopping;
    await expect(test.client.serverLive()).rejects.toMatchObject({ status: status.UNAVAILABLE });
  });

  it('after its grace ends the inference that has begun and refuses those that wait', async () => {
    await using test = await startDecoder({ graceMs: 1 });
    const running = await begin(test.client);
    const waiting = await begin(test.client);
    const stopping = test.node[Symbol.asyncDispose]();

    await expect(waiting.answer).rejects.toMatchObject({
      status: status.UNAVAILABLE,
      message: 'Server exiting',
    });
    expect(await running.answer).toMatchObject({ model_name: MODEL });
    await stopping;
  });
});

describe('a start', () => {
  it.each(['graph', 'weights'])(
    'with a damaged %s file is refused in one line that names it',
    async (what) => {
      await using copied = await copyTextEncoder();
      await truncate(what === 'graph' ? copied.graph : copied.weights, 5_000);

      const start = startPicoNode({ bundles: [copied.bundle] });
      await expect(start).rejects.toThrow(StartError);
      await expect(start).rejects.toThrow(
        expect.objectContaining({
          message: expect.stringMatching(
            /^The model file \S+text_encoder\.onnx cannot be loaded: .*restore/,
          ) as string,
        }) as Error,
      );
    },
  );

  it('with a manifest that promises what the graph lacks is refused', async () => {
    const bundle = await openPicoParts('text_encoder');
    const part = bundle.manifest.parts.text_encoder;
    const outputs = [{ name: 'pooled', type: 'float' as const, shape: [-1, 128] }];
    const start = startPicoNode({
      bundles: [withParts(bundle, { text_encoder: part && { ...part, outputs } })],
    });
    await expect(start).rejects.toThrow(/text_encoder\.onnx cannot be loaded: it lacks pooled/);
  });

  it('on a port in use is refused, and says so', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const start = startPicoNode({ bundles: [await openPicoParts('text_encoder')], workers: 1, port });
    await expect(start).rejects.toThrow(StartError);
    await expect(start).rejects.toThrow(new RegExp(`cannot listen on 127.0.0.1:${port}.*EADDRINUSE`));
    taken.close();
  });
});

/** A bundle of one part, whose files a test may damage. */
async function copyTextEncoder() {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-damaged-'));
  const pico = await openPicoParts('text_encoder');
  const original = pico.partPath('text_encoder');
  const graph = join(folder, 'text_encoder.onnx');
  const weights = join(folder, 'model.safetensors');
  await copyFile(original, graph);
  await copyFile(join(dirname(original), 'model.safetensors'), weights);
  return {
    bundle: { ...pico, partPath: () => graph },
    graph,
    weights,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

function withParts(
  bundle: Bundle,
  parts: Record<string, Bundle['manifest']['parts'][string] | undefined>,
): Bundle {
  const known = Object.entries(parts).flatMap(([name, part]) => (part ? [[name, part] as const] : []));
  return { ...bundle, manifest: { ...bundle.manifest, parts: Object.fromEntries(known) } };
}

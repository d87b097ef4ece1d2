import { rename } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import type { KserveClient, ModelStatistics } from '../../src/platform/kserve/index.ts';
import { connectKserve, status } from '../../src/platform/kserve/index.ts';
import { KSERVE_TARGETS, type KserveServer } from '../support/kserve-targets.ts';
import { inferRequest } from '../support/node.ts';
import { isTritonSkipped, startTriton } from '../support/triton.ts';

const DECODER = 'pico.vae_decoder';
const ENCODER = 'pico.text_encoder';
const POLL = { timeout: 30_000, interval: 20 };

/** A decoding of rows of `side` x `side` latents: small on the wire, whatever it takes to run. */
function decode(side: number, rows = 1) {
  const shape = [rows, 4, side, side];
  const data = Float32Array.from({ length: rows * 4 * side * side }, (_, i) => Math.sin(i));
  return inferRequest(DECODER, { latents: { shape, data } });
}
const quickRun = decode(8);
/** Takes as long as everything that must overlap with it needs. */
const longRun = decode(40);
const encoding = inferRequest(ENCODER, { input_ids: { shape: [1, 77], data: new Int32Array(77) } });

async function open<S extends KserveServer>(start: () => Promise<S>) {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await start());
  const client = stack.use(connectKserve({ address: server.address, callTimeoutMs: 50_000 }));
  await client.serverLive();
  const owned = stack.move();
  return { server, client, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Sends a request and returns when the server has it: calls of one connection arrive in order. */
async function begin(client: KserveClient, request = longRun, signal?: AbortSignal) {
  const answer = client.modelInfer(request, signal);
  answer.catch(() => {});
  await client.serverLive();
  return { answer };
}

const stateOf = async (client: KserveClient, name: string) =>
  (await client.repositoryIndex()).find((each) => each.name === name);

/** Waits until so many rows are counted: Triton counts a request a moment after its answer. */
const untilCounted = (client: KserveClient, rows: number) =>
  expect.poll(async () => (await statisticsOf(client)).inference_count, POLL).toBe(rows);

/** Of the decoder, which has some. */
async function statisticsOf(client: KserveClient): Promise<ModelStatistics> {
  const [statistics] = await client.modelStatistics({ name: DECODER, version: '1' });
  return statistics ?? expect.unreachable('no statistics');
}

/** Waits for the end of an unload. */
const untilUnloaded = (client: KserveClient, name: string) =>
  expect
    .poll(() => stateOf(client, name), POLL)
    .toEqual({ name, version: '1', state: 'UNAVAILABLE', reason: 'unloaded' });

describe.each(KSERVE_TARGETS)('a model of $name', ({ start, startOnFiles, startWithQueue }) => {
  it('is counted: rows, executions, and the time of each part of its requests', async () => {
    await using test = await open(() => start('vae_decoder'));
    const { client } = test;
    const none = { count: 0, ns: 0 };
    const before = await statisticsOf(client);
    expect(before).toMatchObject({
      last_inference: 0,
      inference_count: 0,
      execution_count: 0,
      batch_stats: [],
    });
    expect(before.inference_stats).toMatchObject({
      success: none,
      fail: none,
      queue: none,
      compute_infer: none,
    });

    const beganMs = systemClock.nowMs();
    await client.modelInfer(quickRun);
    await client.modelInfer(decode(8, 2));
    await client.modelInfer(decode(8, 2));
    await expect(client.modelInfer(decode(8, 9))).rejects.toMatchObject({ status: status.INVALID_ARGUMENT });
    await untilCounted(client, 5);
    const { last_inference, inference_stats, batch_stats, ...after } = await statisticsOf(client);
    expect(after).toMatchObject({ name: DECODER, version: '1', inference_count: 5, execution_count: 3 });
    expect(last_inference).toBeGreaterThanOrEqual(beganMs - 1);
    expect(last_inference).toBeLessThanOrEqual(systemClock.nowMs() + 1);
    const three = { count: 3 };
    expect(inference_stats).toMatchObject({ success: three, fail: none, queue: three, compute_infer: three });
    expect(batch_stats.map((each) => [each.batch_size, each.compute_infer.count])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    const { success, queue, compute_infer } = inference_stats;
    expect(compute_infer.ns).toBe(batch_stats.reduce((sum, each) => sum + each.compute_infer.ns, 0));
    expect(success.ns).toBeGreaterThan(queue.ns + compute_infer.ns);

    await expect(client.modelStatistics({ name: 'nope' })).rejects.toMatchObject({
      status: status.INVALID_ARGUMENT,
      message: "requested model 'nope' is not available",
    });
    await expect(client.modelStatistics({ name: DECODER, version: '9' })).rejects.toMatchObject({
      status: status.INVALID_ARGUMENT,
      message: `requested model version is not available for model '${DECODER}'`,
    });
  });

  it('that is unloaded answers what it has accepted and refuses the rest, until it is loaded again', async () => {
    await using test = await open(() => start('vae_decoder', 'text_encoder'));
    const { client } = test;
    const answered = await client.modelInfer(quickRun);
    const { answer } = await begin(client);
    await client.unloadModel(DECODER);
    expect(await stateOf(client, DECODER)).toMatchObject({ state: 'UNLOADING', reason: '' });

    const gone = { status: status.NOT_FOUND, reason: 'NOT_LOADED' };
    const message = `Request for unknown model: '${DECODER}' has no available versions`;
    await expect(client.modelInfer(quickRun)).rejects.toMatchObject({ ...gone, message });
    expect(await client.modelReady({ name: DECODER })).toBe(false);
    expect(await answer).toMatchObject({ model_name: DECODER });

    await untilUnloaded(client, DECODER);
    await expect(client.modelInfer(quickRun)).rejects.toMatchObject({ ...gone, message });
    await expect(client.modelMetadata({ name: DECODER })).rejects.toMatchObject({ ...gone, message });
    await expect(client.modelConfig({ name: DECODER })).rejects.toMatchObject({ ...gone, message });
    await expect(client.modelInfer({ ...quickRun, model_version: '1' })).rejects.toMatchObject({
      status: status.UNAVAILABLE,
      reason: 'NOT_LOADED',
      message: `Request for unknown model: '${DECODER}' version 1 is not at ready state`,
    });
    await expect(client.modelInfer({ ...quickRun, model_version: '9' })).rejects.toMatchObject({
      ...gone,
      message: `Request for unknown model: '${DECODER}' version 9 is not found`,
    });
    await expect(client.modelStatistics({ name: DECODER })).rejects.toMatchObject({
      status: status.INVALID_ARGUMENT,
      message: `requested model '${DECODER}' is not available`,
    });
    expect((await client.modelStatistics({})).map(({ name }) => name)).toEqual([ENCODER]);
    // The others are served as before.
    expect(await client.serverReady()).toBe(true);
    expect(await client.modelInfer(encoding)).toMatchObject({ model_name: ENCODER });

    await client.loadModel(DECODER);
    expect(await stateOf(client, DECODER)).toMatchObject({ state: 'READY', reason: '' });
    expect(await statisticsOf(client)).toMatchObject({ inference_count: 0, execution_count: 0 });
    expect((await client.modelInfer(quickRun)).raw_output_contents).toEqual(answered.raw_output_contents);
  });

  it('that is not there can be unloaded but not loaded; one that is ready stays so when it is loaded', async () => {
    await using test = await open(() => start('vae_decoder'));
    const { client } = test;
    await client.unloadModel('nope');
    await expect(client.loadModel('nope')).rejects.toMatchObject({
      status: status.INTERNAL,
      message: "failed to load 'nope', failed to poll from model repository",
    });
    await client.loadModel(DECODER);
    expect(await client.modelReady({ name: DECODER })).toBe(true);
    expect(await client.repositoryIndex()).toEqual([
      { name: DECODER, version: '1', state: 'READY', reason: '' },
    ]);
  });

  it('whose files are gone when it is loaded says why, and loads when they are back', async () => {
    await using test = await open(startOnFiles);
    const { client, server } = test;
    await client.unloadModel(ENCODER);
    await untilUnloaded(client, ENCODER);
    await rename(server.weights, `${server.weights}.away`);
    await expect(client.loadModel(ENCODER)).rejects.toMatchObject({
      status: status.INVALID_ARGUMENT,
      message: expect.stringMatching(
        /^load failed for model 'pico.text_encoder': version 1 is at UNAVAILABLE state: Internal: [^]+;\s*$/,
      ) as string,
    });
    expect(await stateOf(client, ENCODER)).toMatchObject({
      state: 'UNAVAILABLE',
      reason: expect.stringMatching(/^Internal: [^]*model\.safetensors/) as string,
    });
    expect(await client.modelReady({ name: ENCODER })).toBe(false);
    await expect(client.modelInfer(encoding)).rejects.toMatchObject({ reason: 'NOT_LOADED' });

    await rename(`${server.weights}.away`, server.weights);
    await client.loadModel(ENCODER);
    expect(await client.modelInfer(encoding)).toMatchObject({ model_name: ENCODER });
  });

  it('ends requests that are withdrawn while they wait, at once, and goes on with the rest', async () => {
    await using test = await open(() => start('vae_decoder'));
    const { client } = test;
    const first = await begin(client);
    let isFirstDone = false;
    void first.answer.then(() => (isFirstDone = true));
    const withdrawn = new AbortController();
    const waiting = await Promise.all([1, 2, 3].map(() => begin(client, quickRun, withdrawn.signal)));
    withdrawn.abort();
    for (const { answer } of waiting)
      await expect(answer).rejects.toMatchObject({ status: status.CANCELLED });
    expect(isFirstDone).toBe(false);
    expect(await first.answer).toMatchObject({ model_name: DECODER });
    expect(await client.modelInfer(quickRun)).toMatchObject({ model_name: DECODER });
  });

  it('ends requests at their deadline, and goes on with the rest', async () => {
    await using test = await open(() => start('vae_decoder'));
    const { client, server } = test;
    await client.modelInfer(longRun);
    const beganMs = systemClock.monotonicMs();
    await client.modelInfer(longRun);
    // Passes long before a run that waits for another one can be done, however fast the machine is.
    const deadlineMs = (systemClock.monotonicMs() - beganMs) / 8;
    await using hasty = connectKserve({ address: server.address, callTimeoutMs: deadlineMs });
    await expect.poll(() => hasty.serverLive().catch(() => false), POLL).toBe(true);
    const first = await begin(client);
    await expect(hasty.modelInfer(longRun)).rejects.toMatchObject({ status: status.DEADLINE_EXCEEDED });
    expect(await first.answer).toMatchObject({ model_name: DECODER });
    expect(await client.modelInfer(quickRun)).toMatchObject({ model_name: DECODER });
  });

  it('refuses requests that find too many waiting, and answers those that wait', async () => {
    await using test = await open(() => startWithQueue(2));
    const { client } = test;
    const first = await begin(client);
    const waiting = await Promise.all(
      [8, 9, 10, 11, 12, 13].map((side) => begin(client, { ...decode(side), id: 'r-5' })),
    );
    const outcomes = await Promise.allSettled([first, ...waiting].map(({ answer }) => answer));
    // Triton holds one more that it has taken from the queue already.
    expect([3, 4]).toContain(outcomes.filter((each) => each.status === 'fulfilled').length);
    const refused = outcomes.filter((each) => each.status === 'rejected');
    for (const { reason } of refused)
      expect(reason).toMatchObject({
        status: status.UNAVAILABLE,
        reason: 'OVERLOADED',
        message: '[request id: r-5] Exceeds maximum queue size',
      });
  });

  it('runs requests that wait together, with the answers that each gets alone', async () => {
    await using test = await open(() => start('vae_decoder'));
    const { client } = test;
    const requests = [1, 2, 3].map((rows) => decode(8, rows));
    const alone: (Uint8Array | undefined)[] = [];
    for (const request of requests) alone.push((await client.modelInfer(request)).raw_output_contents[0]);
    const first = await begin(client);
    const together = await Promise.all(requests.map((request) => client.modelInfer(request)));
    await first.answer;
    // Of 255: with more rows ONNX Runtime may add up in another order.
    for (const [at, answer] of together.entries())
      expect(distance(answer.raw_output_contents[0], alone[at])).toBeLessThanOrEqual(1);
    await untilCounted(client, 13);
    const { execution_count } = await statisticsOf(client);
    // Seven requests. Triton may have taken the first of those that wait already when the others come.
    expect(execution_count).toBeLessThan(7);
  });

  it('fails one of the requests that wait together without failing the others', async () => {
    await using test = await open(() => start('text_encoder', 'vae_decoder'));
    const { client } = test;
    const good = encoding;
    // No such token: the graph fails on it.
    const bad = inferRequest(ENCODER, {
      input_ids: { shape: [1, 77], data: new Int32Array(77).fill(-900_000) },
    });
    await expect(client.modelInfer(bad)).rejects.toMatchObject({ status: status.INTERNAL });
    const first = await begin(
      client,
      inferRequest(ENCODER, { input_ids: { shape: [8, 77], data: new Int32Array(616) } }),
    );
    const outcomes = await Promise.allSettled([good, bad, good].map((request) => client.modelInfer(request)));
    await first.answer;
    expect(outcomes).toMatchObject([
      { status: 'fulfilled' },
      { reason: { status: status.INTERNAL, message: expect.stringContaining('onnx') as string } },
      { status: 'fulfilled' },
    ]);
  });

  it('that is served by a server which stops answers what it has accepted, and no more', async () => {
    await using test = await open(() => start('vae_decoder'));
    const { client, server } = test;
    const { answer } = await begin(client);
    server.stop();
    const exiting = { status: status.UNAVAILABLE, reason: 'DRAINING' };
    await expect
      .poll(() => client.serverReady().catch((error: unknown) => error), POLL)
      .toMatchObject({ ...exiting, message: 'Server exiting' });
    await expect(client.serverLive()).rejects.toMatchObject({ ...exiting, message: 'Server exiting' });
    await expect(client.modelReady({ name: DECODER })).rejects.toMatchObject(exiting);
    await expect(client.repositoryIndex()).rejects.toMatchObject(exiting);
    // Triton unloads its models first, and says so.
    await expect(client.modelInfer(quickRun)).rejects.toMatchObject({
      reason: expect.stringMatching(/^(?:DRAINING|NOT_LOADED)$/) as string,
    });
    expect(await answer).toMatchObject({ model_name: DECODER });
  });
});

describe.skipIf(isTritonSkipped)('a model of Triton whose process died', () => {
  it('fails in words that are known, and serves again when it is unloaded and loaded', async () => {
    await using test = await open(() =>
      startTriton({ parts: ['vae_decoder'] }).then((server) => ({ ...server, stop: server.terminate })),
    );
    const { client, server } = test;
    const died = { status: status.INTERNAL, reason: 'WORKER_DIED' };
    const { answer } = await begin(client);
    await server.killModel(DECODER);
    await expect(answer).rejects.toMatchObject(died);
    await expect(client.modelInfer(quickRun)).rejects.toMatchObject(died);
    await client.unloadModel(DECODER);
    await client.loadModel(DECODER);
    expect(await client.modelInfer(quickRun)).toMatchObject({ model_name: DECODER });
  });
});

/** The largest difference between two pictures, of 255; infinite when their sizes differ. */
function distance(a: Uint8Array = new Uint8Array(), b: Uint8Array = new Uint8Array()): number {
  if (a.length === 0 || a.length !== b.length) return Infinity;
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - (b[i] ?? Infinity))), 0);
}

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createEngines, openInputRegions } from '../../src/backends/engines/index.ts';
import type { Part, Rows } from '../../src/dispatcher/engines.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { KserveClient, ModelInferRequest, SharedRegion } from '../../src/platform/kserve/index.ts';
import { connectKserve, KserveError, status } from '../../src/platform/kserve/index.ts';
import { openPicoParts, stackRows, startPicoNode, unetRow } from '../support/node.ts';

const UNET = 'pico.unet_cfg';
const SHM = '/dev/shm';
const never = new AbortController().signal;

const files = new Set<string>();
afterEach(() => {
  for (const file of files) rmSync(file, { force: true });
  files.clear();
});

const wholeOf = (name: string, byte_size: number): SharedRegion => ({
  name,
  key: `/${name}`,
  offset: 0,
  byte_size,
});

describe('engines whose node is on this machine', () => {
  const unet: Part = {
    model: UNET,
    version: '1',
    outputs: [{ name: 'noise_pred', type: 'float', shape: [-1, 4, -1, -1] }],
  };
  // Three rows: both conditionings are above 64 KiB, the latents are not.
  const rows: Rows = stackRows([0, 1, 2].map((each) => unetRow(each)));

  async function startSharing(port = 0) {
    const bundles = [await openPicoParts('unet_cfg')];
    const node = await startPicoNode({ bundles, port });
    return { node, port: Number(node.address.split(':').at(-1)) };
  }

  /** The client, with every request that it sends written down. */
  function watch(client: KserveClient) {
    const sent: ModelInferRequest[] = [];
    const watched: KserveClient = {
      ...client,
      modelInfer: (request, signal) => {
        sent.push(request);
        return client.modelInfer(request, signal);
      },
    };
    return { sent, watched };
  }

  const sharedInputs = (request: ModelInferRequest | undefined) =>
    request?.inputs.filter(({ parameters }) => parameters).map(({ name }) => name);

  async function open() {
    await using stack = new AsyncDisposableStack();
    const { node, port } = await startSharing();
    stack.use(node);
    const client = stack.use(connectKserve({ address: node.address, callTimeoutMs: 30_000 }));
    const { sent, watched } = watch(client);
    const regions = stack.use(openInputRegions({ client: watched, random: systemRandom }));
    const engines = createEngines({ client: watched, regions });
    const plain = await createEngines({ client, regions: null }).infer(unet, rows, never);
    const owned = stack.move();
    return {
      node,
      port,
      client,
      sent,
      regions,
      engines,
      plain,
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  }

  it('send large inputs through shared memory, with the same answer, and use it again', async () => {
    await using test = await open();
    for (let call = 0; call < 3; call += 1)
      expect(await test.engines.infer(unet, rows, never)).toEqual(test.plain);
    const large = ['encoder_hidden_states', 'uncond_hidden_states'];
    expect(test.sent.map(sharedInputs)).toEqual([large, large, large]);
    expect(await test.client.sharedRegions()).toHaveLength(1);
  });

  it('give calls that run at the same time memory of their own', async () => {
    await using test = await open();
    const others = stackRows([7, 8, 9].map((each) => unetRow(each)));
    const alone = await createEngines({ client: test.client, regions: null }).infer(unet, others, never);
    const both = () => [test.engines.infer(unet, rows, never), test.engines.infer(unet, others, never)];
    const answers = await Promise.all([...both(), ...both(), ...both()]);
    for (const [at, answer] of answers.entries()) expect(answer).toEqual(at % 2 === 0 ? test.plain : alone);
  });

  it('send small inputs within the message', async () => {
    await using test = await open();
    await test.engines.infer(unet, unetRow(0), never);
    expect(sharedInputs(test.sent[0])).toEqual([]);
    expect(await test.client.sharedRegions()).toEqual([]);
  });

  it('leave no name in the file system, and nothing with the node once they are disposed of', async () => {
    const test = await open();
    await using _ = test;
    await test.engines.infer(unet, rows, never);
    expect(readdirSync(SHM).filter((name) => name.startsWith(`darkroom-${process.pid}-`))).toEqual([]);
    await test.regions[Symbol.asyncDispose]();
    expect(await test.client.sharedRegions()).toEqual([]);
  });

  it('send the bytes when the node has been started again, and share with the new one', async () => {
    await using test = await open();
    await test.engines.infer(unet, rows, never);
    await test.node[Symbol.asyncDispose]();
    await using _ = (await startSharing(test.port)).node;
    await expect.poll(() => test.client.serverReady().catch(() => false), { timeout: 10_000 }).toBe(true);
    expect(await test.engines.infer(unet, rows, never)).toEqual(test.plain);
    expect(test.sent.slice(1).map((each) => sharedInputs(each)?.length)).toEqual([2, 0]);
    expect(await test.engines.infer(unet, rows, never)).toEqual(test.plain);
    expect(sharedInputs(test.sent.at(-1))).toHaveLength(2);
  });

  it.each([
    ['does not offer it', status.UNIMPLEMENTED],
    ['cannot open it', status.INTERNAL],
  ])('send bytes for good to a node that %s, having asked once', async (_, code) => {
    await using test = await open();
    let asked = 0;
    const client: KserveClient = {
      ...test.client,
      registerRegion() {
        asked += 1;
        return Promise.reject(new KserveError(code, 'no'));
      },
    };
    await using regions = openInputRegions({ client, random: systemRandom });
    const engines = createEngines({ client, regions });
    for (let call = 0; call < 2; call += 1)
      expect(await engines.infer(unet, rows, never)).toEqual(test.plain);
    expect(asked).toBe(1);
  });

  it('say of a node that goes away at that moment what they say of it otherwise, and ask the next time', async () => {
    await using test = await open();
    let isAway = true;
    const client: KserveClient = {
      ...test.client,
      registerRegion: (region) =>
        isAway
          ? Promise.reject(new KserveError(status.UNAVAILABLE, 'gone'))
          : test.client.registerRegion(region),
    };
    await using regions = openInputRegions({ client, random: systemRandom });
    const engines = createEngines({ client, regions });
    await expect(engines.infer(unet, rows, never)).rejects.toMatchObject({ code: 'UNREACHABLE' });
    isAway = false;
    expect(await engines.infer(unet, rows, never)).toEqual(test.plain);
    expect(await test.client.sharedRegions()).toHaveLength(1);
  });

  it('take back what a process that was killed left with the node, and only that', async () => {
    await using test = await open();
    const { pid: dead } = spawnSync('true');
    const left = `darkroom-${dead}-00ff`;
    const others = [`darkroom-${process.ppid}-00ff`, 'of-somebody-else'];
    for (const name of [left, ...others]) {
      const path = join(SHM, name);
      files.add(path);
      writeFileSync(path, new Uint8Array(8));
      await test.client.registerRegion(wholeOf(name, 8));
    }
    await test.engines.infer(unet, rows, never);
    const names = (await test.client.sharedRegions()).map(({ name }) => name);
    expect(names).not.toContain(left);
    expect(names).toEqual(expect.arrayContaining(others));
    expect(existsSync(join(SHM, left))).toBe(false);
    expect(existsSync(join(SHM, others[0] ?? ''))).toBe(true);
  });
});

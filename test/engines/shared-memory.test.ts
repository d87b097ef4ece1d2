import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createEngines, openInputRegions } from '../../src/backends/engines/index.ts';
import type { Part, Rows } from '../../src/dispatcher/engines.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type {
  KserveClient,
  ModelInferRequest,
  RegionSpan,
  SharedRegion,
} from '../../src/platform/kserve/index.ts';
import { connectKserve, KserveError, regionParameters, status } from '../../src/platform/kserve/index.ts';
import { inferRequest, openPicoParts, stackRows, startPicoNode, unetRow } from '../support/node.ts';

const UNET = 'pico.unet_cfg';
const SHM = '/dev/shm';
const never = new AbortController().signal;

const files = new Set<string>();
const uniqueName = () => `darkroom-test-${randomBytes(6).toString('hex')}`;

/** A shared memory object with `bytes`, which no test leaves behind. */
function createObject(bytes: Uint8Array): string {
  const name = uniqueName();
  files.add(join(SHM, name));
  writeFileSync(join(SHM, name), bytes, { mode: 0o600 });
  return name;
}

afterEach(() => {
  for (const file of files) rmSync(file, { force: true });
  files.clear();
});

/** `request` with its inputs in the region, one after the other. */
function inRegion(request: ModelInferRequest, region: string): ModelInferRequest {
  let offset = 0;
  const inputs = request.inputs.map((input, at) => {
    const byteSize = request.raw_input_contents?.[at]?.byteLength ?? 0;
    const parameters = regionParameters({ region, offset, byteSize });
    offset += byteSize;
    return { ...input, parameters };
  });
  return { ...request, inputs, raw_input_contents: [] };
}

const row = inferRequest(UNET, unetRow(1));
const rowBytes = Buffer.concat(row.raw_input_contents ?? []);
const wholeOf = (name: string, byte_size = rowBytes.byteLength): SharedRegion => ({
  name,
  key: `/${name}`,
  offset: 0,
  byte_size,
});

describe('a node that shares memory', () => {
  const stack = new AsyncDisposableStack();
  let client: KserveClient;
  let expected: Uint8Array | undefined;
  beforeAll(async () => {
    const node = stack.use(await startPicoNode({ bundles: [await openPicoParts('unet_cfg')] }));
    client = stack.use(connectKserve({ address: node.address, callTimeoutMs: 30_000 }));
    expected = (await client.modelInfer(row)).raw_output_contents[0];
  });
  afterAll(() => stack.disposeAsync());

  async function register(bytes: Uint8Array = rowBytes): Promise<string> {
    const name = createObject(bytes);
    await client.registerRegion(wholeOf(name, bytes.byteLength));
    return name;
  }

  it('says so among its extensions', async () => {
    expect((await client.serverMetadata()).extensions).toContain('system_shared_memory');
  });

  it('lists what was registered, until it is unregistered', async () => {
    const name = await register();
    expect(await client.sharedRegions()).toContainEqual(wholeOf(name));
    await client.unregisterRegion(name);
    expect(await client.sharedRegions()).not.toContainEqual(wholeOf(name));
    await client.unregisterRegion(name);
  });

  it('reads inputs from it: the answer is the one to the bytes themselves', async () => {
    const name = await register();
    const answer = await client.modelInfer(inRegion(row, name));
    expect(answer.raw_output_contents[0]).toEqual(expected);
  });

  it('reads what is there at the time of each call, also after its name is gone', async () => {
    const name = await register(Buffer.alloc(rowBytes.byteLength));
    await client.modelInfer(inRegion(row, name));
    writeFileSync(join(SHM, name), rowBytes, { flag: 'r+' });
    rmSync(join(SHM, name));
    const answer = await client.modelInfer(inRegion(row, name));
    expect(answer.raw_output_contents[0]).toEqual(expected);
  });

  it('reads some inputs from it and others from the message', async () => {
    const name = await register();
    const all = inRegion(row, name);
    const mixed = {
      ...row,
      inputs: row.inputs.map((input, at) => (at % 2 === 0 ? (all.inputs[at] ?? input) : input)),
      raw_input_contents: (row.raw_input_contents ?? []).filter((_, at) => at % 2 === 1),
    };
    const answer = await client.modelInfer(mixed);
    expect(answer.raw_output_contents[0]).toEqual(expected);
  });

  it('reads from an offset of the object and of the region', async () => {
    const name = createObject(Buffer.concat([Buffer.alloc(96), rowBytes]));
    await client.registerRegion({ ...wholeOf(name, rowBytes.byteLength + 32), offset: 64 });
    const shifted = inRegion(row, name).inputs.map(({ parameters, ...input }) => {
      const offset = 32 + (parameters?.shared_memory_offset?.int64_param ?? 0);
      return { ...input, parameters: { ...parameters, shared_memory_offset: { int64_param: offset } } };
    });
    const answer = await client.modelInfer({ ...row, inputs: shifted, raw_input_contents: [] });
    expect(answer.raw_output_contents[0]).toEqual(expected);
  });

  it('writes outputs to it, and leaves them out of the answer', async () => {
    const name = await register(Buffer.alloc(8_192));
    const parameters = regionParameters({ region: name, offset: 4_096, byteSize: 4_096 });
    const answer = await client.modelInfer({ ...row, outputs: [{ name: 'noise_pred', parameters }] });
    expect(answer.outputs).toMatchObject([{ name: 'noise_pred', shape: [1, 4, 16, 16] }]);
    expect(answer.raw_output_contents.map(({ byteLength }) => byteLength)).toEqual([0]);
    expect(readFileSync(join(SHM, name)).subarray(4_096)).toEqual(Buffer.from(expected ?? []));
  });

  it.each<[string, (name: string) => SharedRegion, status, string]>([
    [
      'of an object that is not there',
      () => wholeOf('darkroom-test-none'),
      status.INTERNAL,
      "Unable to open shared memory region: '/darkroom-test-none'",
    ],
    [
      'of more than the object has',
      (name) => ({ ...wholeOf(name), name: 'long', byte_size: rowBytes.byteLength + 1 }),
      status.INVALID_ARGUMENT,
      "failed to register shared memory region 'long': invalid args",
    ],
    [
      'of nothing',
      (name) => ({ ...wholeOf(name), name: 'empty', byte_size: 0 }),
      status.INTERNAL,
      'Invalid shared memory region: ',
    ],
    [
      'without a name',
      (name) => ({ ...wholeOf(name), name: '' }),
      status.INTERNAL,
      'Invalid shared memory region: ',
    ],
    ['under a name that is taken', (name) => wholeOf(name), status.ALREADY_EXISTS, 'already in manager'],
    [
      'of a file elsewhere',
      () => ({ ...wholeOf('outside'), key: '/../../etc/hostname', byte_size: 1 }),
      status.INTERNAL,
      'Unable to open shared memory region: ',
    ],
  ])('refuses a region %s', async (_, region, code, text) => {
    const name = await register();
    await expect(client.registerRegion(region(name))).rejects.toMatchObject({
      status: code,
      message: expect.stringContaining(text) as string,
    });
  });

  it('does not follow a link out of the shared memory', async () => {
    const name = uniqueName();
    files.add(join(SHM, name));
    symlinkSync('/etc/hostname', join(SHM, name));
    await expect(client.registerRegion({ ...wholeOf(name), byte_size: 1 })).rejects.toMatchObject({
      status: status.INTERNAL,
    });
  });

  it.each<[string, (name: string) => Partial<RegionSpan>, status, string]>([
    [
      'that it does not know',
      () => ({ region: 'zz' }),
      status.NOT_FOUND,
      "Unable to find shared memory region: 'zz'",
    ],
    ['beyond its end', () => ({ offset: 2 ** 40 }), status.INVALID_ARGUMENT, 'Invalid offset + byte size'],
    ['before its start', () => ({ offset: -1 }), status.INVALID_ARGUMENT, 'Invalid offset + byte size'],
    [
      'of too few bytes',
      () => ({ byteSize: 8 }),
      status.INVALID_ARGUMENT,
      "input byte size mismatch for input 'sample'",
    ],
  ])('refuses an input in a region %s', async (_, change, code, text) => {
    const name = await register();
    const [sample, ...others] = inRegion(row, name).inputs;
    const span = { region: name, offset: 0, byteSize: 4_096, ...change(name) };
    const inputs = [{ ...sample, parameters: regionParameters(span) }, ...others] as typeof row.inputs;
    await expect(client.modelInfer({ ...row, inputs, raw_input_contents: [] })).rejects.toMatchObject({
      status: code,
      message: expect.stringContaining(text) as string,
    });
  });

  it.each<[string, Partial<RegionSpan>, status, string]>([
    [
      'that it does not know',
      { region: 'zz' },
      status.NOT_FOUND,
      "Unable to find shared memory region: 'zz'",
    ],
    [
      'with too little room',
      { byteSize: 100 },
      status.INTERNAL,
      "the request for output 'noise_pred' (100 bytes) should be at least 4096 bytes to hold the results",
    ],
  ])('refuses an output in a region %s', async (_, change, code, text) => {
    const region = await register(Buffer.alloc(8_192));
    const parameters = regionParameters({ region, offset: 0, byteSize: 8_192, ...change });
    await expect(
      client.modelInfer({ ...row, outputs: [{ name: 'noise_pred', parameters }] }),
    ).rejects.toMatchObject({ status: code, message: expect.stringContaining(text) as string });
  });
});

it('a node that others can call offers no shared memory', async () => {
  const bundles = [await openPicoParts('vae_decoder')];
  await using node = await startPicoNode({ bundles, host: '0.0.0.0' });
  const address = node.address.replace('0.0.0.0', '127.0.0.1');
  await using client = connectKserve({ address, callTimeoutMs: 5_000 });
  expect((await client.serverMetadata()).extensions).not.toContain('system_shared_memory');
  await expect(client.sharedRegions()).rejects.toMatchObject({ status: status.UNIMPLEMENTED });
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

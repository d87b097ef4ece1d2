import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type {
  KserveClient,
  ModelInferRequest,
  RegionSpan,
  SharedRegion,
} from '../../src/platform/kserve/index.ts';
import { connectKserve, regionParameters, status } from '../../src/platform/kserve/index.ts';
import { KSERVE_TARGETS } from '../support/kserve-targets.ts';
import { inferRequest, openPicoParts, startPicoNode, unetRow } from '../support/node.ts';

const UNET = 'pico.unet_cfg';
const SHM = '/dev/shm';

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

/** `request` with its inputs in the region, one after the other from `start`. */
function inRegion(request: ModelInferRequest, region: string, start = 0): ModelInferRequest {
  let offset = start;
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

describe.each(KSERVE_TARGETS)('a node that shares memory: $name', ({ isReal, start }) => {
  const stack = new AsyncDisposableStack();
  let client: KserveClient;
  let expected: Uint8Array | undefined;
  beforeAll(async () => {
    const node = stack.use(await start('unet_cfg'));
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

  // Triton 2.51 maps the object from the region's offset on, and then adds it once more.
  it.each([0, ...(isReal ? [] : [4_096])])(
    'reads from an offset of a region that starts at %i',
    async (offset) => {
      const name = createObject(Buffer.concat([Buffer.alloc(offset + 32), rowBytes]));
      await client.registerRegion({ ...wholeOf(name, rowBytes.byteLength + 32), offset });
      const answer = await client.modelInfer(inRegion(row, name, 32));
      expect(answer.raw_output_contents[0]).toEqual(expected);
    },
  );

  it('writes outputs to it, and leaves them out of the answer', async () => {
    const name = await register(Buffer.alloc(8_192));
    const parameters = regionParameters({ region: name, offset: 4_096, byteSize: 4_096 });
    const answer = await client.modelInfer({ ...row, outputs: [{ name: 'noise_pred', parameters }] });
    expect(answer.outputs).toMatchObject([{ name: 'noise_pred', shape: [1, 4, 16, 16] }]);
    expect(answer.raw_output_contents.map(({ byteLength }) => byteLength)).toEqual([0]);
    expect(readFileSync(join(SHM, name)).subarray(4_096)).toEqual(Buffer.from(expected ?? []));
  });

  // Each of an object of its own: Triton cannot register a second region of one object.
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
      'from an offset that is none of a page',
      (name) => ({ ...wholeOf(name), name: 'amid', offset: 64, byte_size: 64 }),
      status.INVALID_ARGUMENT,
      "failed to register shared memory region 'amid': unable to process address space",
    ],
    [
      'of nothing',
      (name) => ({ ...wholeOf(name), name: 'empty', byte_size: 0 }),
      status.INVALID_ARGUMENT,
      "failed to register shared memory region 'empty': unable to process address space",
    ],
    [
      'of a file elsewhere',
      () => ({ ...wholeOf('outside'), key: '/../../etc/hostname', byte_size: 1 }),
      status.INTERNAL,
      'Unable to open shared memory region: ',
    ],
  ])('refuses a region %s', async (_, region, code, text) => {
    const name = createObject(rowBytes);
    await expect(client.registerRegion(region(name))).rejects.toMatchObject({
      status: code,
      message: expect.stringContaining(text) as string,
    });
  });

  it('refuses a region under a name that is taken', async () => {
    const name = await register();
    await expect(client.registerRegion(wholeOf(name))).rejects.toMatchObject({
      status: status.ALREADY_EXISTS,
      message: `shared memory region '${name}' already in manager`,
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
    [
      'that starts beyond its end',
      () => ({ offset: 2 ** 40 }),
      status.INVALID_ARGUMENT,
      'Invalid offset for',
    ],
    ['that starts before it', () => ({ offset: -1 }), status.INVALID_ARGUMENT, 'Invalid offset for'],
    [
      'that ends beyond its end',
      () => ({ offset: rowBytes.byteLength - 4_095 }),
      status.INVALID_ARGUMENT,
      'Invalid offset + byte size for',
    ],
    ['of no bytes', () => ({ byteSize: 0 }), status.INVALID_ARGUMENT, 'Invalid offset + byte size for'],
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

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectKserve } from '../../src/platform/kserve/index.ts';
import { copyPico } from '../support/models.ts';
import { decodePixels } from '../support/pixels.ts';
import { draw, runJson } from '../support/platform.ts';
import type { ReadyLine } from '../support/platform.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { createSandbox } from '../support/sandbox.ts';
import { startPart } from '../support/split.ts';
import { isTritonSkipped, startTriton, type RunningTriton } from '../support/triton.ts';

const APPLE = ['a red apple', '--seed', '7', '--steps', '6', '--count', '2'];

const stack = new AsyncDisposableStack();
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = stack.use(await createSandbox());
  await copyPico(sandbox.at('models'));
});
afterAll(() => stack.disposeAsync());

type Door = Pick<ReadyLine, 'api' | 'apiKey'>;

/** A platform on a data folder of its own, without a node of its own when `node` is given. */
async function startOn(name: string, node: RunningTriton | null) {
  await using own = new AsyncDisposableStack();
  const data = ['--data', sandbox.at(name)];
  const start = () =>
    startPart(sandbox, [...data, '--models', sandbox.at('models'), ...(node ? ['--no-node'] : [])]);
  const platform = own.use(await start());
  if (node) {
    const added = await runJson<{ models: readonly string[] }>(sandbox, [
      'node',
      'add',
      node.address,
      ...data,
    ]);
    expect(added.models).toContain('pico.unet_cfg');
  }
  const { api, apiKey } = platform.ready;
  if (api === null || apiKey === null) throw new Error('It has no API.');
  const door: Door = { api, apiKey };
  const moved = own.move();
  return { door, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

async function pixelsOf(name: string, node: RunningTriton | null): Promise<readonly Uint8Array[]> {
  await using platform = await startOn(name, node);
  const { images } = await draw(sandbox, platform.door, [...APPLE, '--out', sandbox.at(`${name}.png`)]);
  const files = await Promise.all(images.map(({ path }) => readFile(path)));
  return Promise.all(files.map(async (file) => (await decodePixels(file)).data));
}

describe.skipIf(isTritonSkipped)('a platform whose node is a real Triton', () => {
  it('draws the pictures that it draws on the node of its own', async () => {
    await using triton = await startTriton();
    const there = await pixelsOf('triton', triton);
    await using client = connectKserve({ address: triton.address, callTimeoutMs: 5_000 });
    const [unet] = await client.modelStatistics({ name: 'pico.unet_cfg' });
    // Two pictures of six steps.
    expect(unet?.inference_count).toBe(12);
    const here = await pixelsOf('embedded', null);
    expect(there).toHaveLength(2);
    for (const [at, picture] of there.entries()) expect(distance(picture, here[at])).toBeLessThanOrEqual(1);
  });
});

/** The largest difference between two pictures, of 255; infinite when their sizes differ. */
function distance(a: Uint8Array, b: Uint8Array | undefined): number {
  if (a.length !== b?.length) return Infinity;
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - (b[i] ?? Infinity))), 0);
}

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KserveClient } from '../../src/platform/kserve/index.ts';
import { connectKserve } from '../../src/platform/kserve/index.ts';
import { copyPico } from '../support/models.ts';
import { decodePixels, levelsApart } from '../support/pixels.ts';
import { ask, draw, runJson } from '../support/platform.ts';
import type { ReadyLine } from '../support/platform.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { createSandbox } from '../support/sandbox.ts';
import { startPart } from '../support/split.ts';
import { isTritonSkipped, startTriton, type RunningTriton } from '../support/triton.ts';

const APPLE = ['a red apple', '--seed', '7', '--steps', '6', '--count', '2'];

const UNET = 'pico.unet_cfg';
const SOON = { timeout: 60_000, interval: 50 };

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
    expect(added.models).toContain(UNET);
  }
  const { api, apiKey } = platform.ready;
  if (api === null || apiKey === null) throw new Error('It has no API.');
  const door: Door = { api, apiKey };
  const moved = own.move();
  return { door, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

async function pixelsOf(door: Door, name: string): Promise<readonly Uint8Array[]> {
  const { images } = await draw(sandbox, door, [...APPLE, '--out', sandbox.at(`${name}.png`)]);
  const files = await Promise.all(images.map(({ path }) => readFile(path)));
  return Promise.all(files.map(async (file) => (await decodePixels(file)).data));
}

describe.skipIf(isTritonSkipped)('a platform whose node is a real Triton', () => {
  let triton: RunningTriton;
  let client: KserveClient;
  let door: Door;
  beforeAll(async () => {
    triton = stack.use(await startTriton({ parts: ['text_encoder', 'unet_cfg', 'vae_decoder'] }));
    client = stack.use(connectKserve({ address: triton.address, callTimeoutMs: 30_000 }));
    door = stack.use(await startOn('triton', triton)).door;
  });

  const evaluations = async () => {
    const [statistics] = await client.modelStatistics({ name: UNET });
    return statistics?.inference_count ?? 0;
  };

  it('draws the pictures that it draws on the node of its own', async () => {
    const there = await pixelsOf(door, 'triton');
    // Two pictures of six steps.
    await expect.poll(evaluations, SOON).toBe(12);
    await using embedded = await startOn('embedded', null);
    const here = await pixelsOf(embedded.door, 'embedded');
    expect(there).toHaveLength(2);
    for (const [at, picture] of there.entries())
      expect(levelsApart(picture, here[at])).toBeLessThanOrEqual(1);
  });

  it('lets a job whose model is unloaded wait until it is loaded again', async () => {
    const before = await evaluations();
    const args = ['a red apple', '--steps', '100', '--out', sandbox.at('late.png')];
    const job = draw(sandbox, door, args);
    job.catch(() => {});
    await expect.poll(evaluations, SOON).toBeGreaterThan(before);
    await client.unloadModel(UNET);
    const state = async () => (await client.repositoryIndex()).find(({ name }) => name === UNET)?.state;
    await expect.poll(state, SOON).toBe('UNAVAILABLE');
    await expect.poll(() => stateOfNewest(door), SOON).toBe('QUEUED');
    await client.loadModel(UNET);
    expect(await job).toMatchObject({ steps: 100 });
  });
});

async function stateOfNewest(door: Door): Promise<string | undefined> {
  const query = '{ jobs(first: 1) { nodes { state } } }';
  const { jobs } = await ask<{ jobs: { nodes: readonly { state: string }[] } }>(door, query);
  return jobs.nodes[0]?.state;
}

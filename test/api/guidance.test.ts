import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startNode } from '../../src/node/index.ts';
import { openBundles } from '../../src/platform/bundles/index.ts';
import { startApp } from '../support/app.ts';
import type { TestTenant } from '../support/app.ts';
import { QUICK, runJob } from '../support/jobs.ts';
import { copyPico } from '../support/models.ts';
import { silent } from '../support/node.ts';
import { decodePixels } from '../support/pixels.ts';

/** A models folder with pico as it is, and as a variant that has only the plain U-Net. */
async function withPlainVariant(): Promise<string> {
  const models = await mkdtemp(join(tmpdir(), 'darkroom-test-models-'));
  await copyPico(models);
  await copyPico(models, 'plain');
  const file = join(models, 'plain', 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8'));
  delete manifest.parts.unet_cfg;
  await writeFile(file, JSON.stringify({ ...manifest, name: 'plain' }));
  return models;
}

async function pixelsOf(
  { client }: TestTenant,
  job: { readonly images: readonly { url: string | null; sha256: string }[] },
) {
  const files = await Promise.all(job.images.map((image) => client.download(image)));
  return Promise.all(files.map(async (file) => (await decodePixels(file)).data));
}

it('guides outside the graph, in as many calls as the batch limit needs, to the pictures that the graph makes', async () => {
  await using stack = new AsyncDisposableStack();
  const models = stack.adopt(await withPlainVariant(), (path) => rm(path, { recursive: true }));
  const node = stack.use(await startNode({ bundles: await openBundles(models), logger: silent }));
  const app = stack.use(await startApp({ nodeAddress: node.address, models }));
  const tenant = await app.createTenant();
  const variants = await tenant.client.variants();
  const idOf = (name: string) => variants.find((variant) => variant.name === name)?.id ?? '';

  // Five pictures are ten rows outside the graph, and a call takes eight.
  const input = { ...QUICK, imageCount: 5 };
  const { job: inGraph } = await runJob(tenant, { ...input, variantId: idOf('pico') });
  const { job: outside } = await runJob(tenant, { ...input, variantId: idOf('plain') });
  expect([inGraph.state, outside.state, outside.credits]).toEqual([
    'SUCCEEDED',
    'SUCCEEDED',
    inGraph.credits,
  ]);

  const [expected, drawn] = [await pixelsOf(tenant, inGraph), await pixelsOf(tenant, outside)];
  for (const [index, picture] of drawn.entries()) {
    const worst = Math.max(...picture.map((value, at) => Math.abs(value - (expected[index]?.[at] ?? 0))));
    expect(worst).toBeLessThanOrEqual(1);
  }
});

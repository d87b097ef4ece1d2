import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openBundles } from '../platform/bundles/index.ts';
import { graphsOf, modelsOf } from './served-models.ts';

it('loads a graph once, however many models are served from it', async () => {
  const bundles = await openBundles(join(import.meta.dirname, '../../deploy/models'));
  const models = modelsOf(bundles);
  const graphs = graphsOf(models);

  expect(models.get('pico-noto.vae_decoder')?.file).toBe(models.get('pico.vae_decoder')?.file);
  expect(graphs).toHaveLength(new Set(graphs.map(({ file }) => file)).size);
  expect(graphs.length).toBeLessThan(models.size);
  for (const { file } of models.values()) expect(graphs.some((graph) => graph.file === file)).toBe(true);
});

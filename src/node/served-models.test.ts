import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openBundle, openBundles } from '../platform/bundles/index.ts';
import { findModel, graphsOf, modelsOf, shareOut } from './served-models.ts';

const MODELS = join(import.meta.dirname, '../../deploy/models');
const bundles = await openBundles(MODELS);
const pico = await openBundle(join(MODELS, 'pico'));

/** The same model, name and files apart, in a folder of its own. */
function copyOf(digests: Readonly<Record<string, string>> = pico.manifest.digests): typeof pico {
  return {
    ...pico,
    manifest: { ...pico.manifest, name: 'copy', digests },
    partPath: (part) => `/copy/${part}.onnx`,
  };
}

describe('served models', () => {
  it('are called by the version of their bundle, and by no other', () => {
    const models = modelsOf([{ ...pico, manifest: { ...pico.manifest, version: 3 } }]);
    const name = 'pico.unet_cfg';
    for (const version of ['', '3', '03'])
      expect(findModel(models, { name, version })).toMatchObject({ name });
    expect(() => findModel(models, { name, version: '1' })).toThrow(
      "Request for unknown model: 'pico.unet_cfg' version 1 is not found",
    );
  });

  it('share a graph with the variant that they borrow it from, and no other', () => {
    const models = modelsOf(bundles);
    const graphs = graphsOf(models);
    const fileOf = (name: string) => models.get(name)?.file;

    expect(fileOf('pico-noto.vae_decoder')).toBe(fileOf('pico.vae_decoder'));
    // Its graph is pico's, byte for byte; its weights are its own.
    expect(fileOf('pico-noto.unet_cfg')).not.toBe(fileOf('pico.unet_cfg'));
    expect(graphs).toHaveLength(new Set(graphs.map(({ file }) => file)).size);
    expect(graphs.map(({ file }) => file).toSorted()).toEqual(
      [...new Set([...models.values()].map(({ file }) => file))].toSorted(),
    );
  });

  it('share a graph whose files are equal, wherever they lie', () => {
    const models = modelsOf([pico, copyOf()]);
    for (const part of Object.keys(pico.manifest.parts))
      expect(models.get(`copy.${part}`)?.file).toBe(pico.partPath(part));
  });

  it.each(['unet/unet.onnx', 'unet/diffusion_pytorch_model.safetensors'])(
    'do not share when %s differs',
    (name) => {
      const models = modelsOf([pico, copyOf({ ...pico.manifest.digests, [name]: '0'.repeat(64) })]);
      expect(models.get('copy.unet')?.file).toBe('/copy/unet.onnx');
      expect(models.get('copy.vae_decoder')?.file).toBe(pico.partPath('vae_decoder'));
    },
  );

  it.each([1, 2, 3, 16])(
    'are each checked by one of %i workers, the first needed by the first',
    (workers) => {
      const graphs = graphsOf(modelsOf(bundles));
      const shares = shareOut(graphs, workers);

      expect(shares).toHaveLength(workers);
      const names = (these: typeof graphs) => these.map(({ file }) => file).toSorted();
      expect(names(shares.flat())).toEqual(names(graphs));
      const first = names(shares[0] ?? []);
      for (const part of ['text_encoder', 'unet_cfg', 'vae_decoder'])
        expect(first).toContain(pico.partPath(part));
    },
  );
});

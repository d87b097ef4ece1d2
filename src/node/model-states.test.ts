import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openBundles } from '../platform/bundles/index.ts';
import { KserveError, status } from '../platform/kserve/index.ts';
import { createModelStates } from './model-states.ts';
import { modelsOf } from './served-models.ts';
import type { InferJob, RawTensor } from './worker-messages.ts';

const models = modelsOf(await openBundles(join(import.meta.dirname, '../../deploy/models')));
const UNET = 'pico.unet_cfg';

/** A pool whose loads end when the test says so. */
function scriptedPool() {
  const loaded: InferJob[] = [];
  const released: string[] = [];
  let load = Promise.withResolvers<readonly RawTensor[]>();
  const pool = {
    run: (job: InferJob) => {
      loaded.push(job);
      load = Promise.withResolvers();
      return load.promise;
    },
    release: (file: string) => void released.push(file),
    isLoadable: () => true,
  };
  const forgotten: string[] = [];
  const statistics = { forget: (model: string) => void forgotten.push(model) };
  return {
    states: createModelStates({ models, pool, statistics }),
    loaded,
    released,
    forgotten,
    succeed: () => load.resolve([]),
    fail: (error: Error) => load.reject(error),
  };
}

const phaseOf = ({ states }: ReturnType<typeof scriptedPool>, name: string) => {
  const entry = states.index().find((each) => each.name === name);
  return [entry?.state, entry?.reason];
};

describe('a model that is unloaded', () => {
  it('gives its graph back when its last request is out, and not before', async () => {
    const test = scriptedPool();
    const work = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
    const uses = work.map(({ promise }) => test.states.use({ name: UNET }, () => promise));
    test.states.unload(UNET);
    await expect(test.states.use({ name: UNET }, async () => 'late')).rejects.toMatchObject({
      status: status.NOT_FOUND,
    });
    for (const [at, { resolve }] of work.entries()) {
      expect(phaseOf(test, UNET)).toEqual(['UNLOADING', '']);
      expect(test.released).toEqual([]);
      resolve('done');
      expect(await uses[at]).toBe('done');
    }
    expect(phaseOf(test, UNET)).toEqual(['UNAVAILABLE', 'unloaded']);
    expect(test.released).toEqual([models.get(UNET)?.file]);
    expect(test.forgotten).toEqual([UNET]);
  });

  it('keeps a graph loaded that another model is served from', () => {
    const test = scriptedPool();
    test.states.unload('pico-noto.vae_decoder');
    expect(phaseOf(test, 'pico-noto.vae_decoder')).toEqual(['UNAVAILABLE', 'unloaded']);
    expect(test.released).toEqual([]);
    test.states.unload('pico.vae_decoder');
    expect(test.released).toEqual([models.get('pico.vae_decoder')?.file]);
  });

  it('leaves the others ready', () => {
    const test = scriptedPool();
    test.states.unload(UNET);
    expect(test.states.isReady({ name: UNET })).toBe(false);
    expect(test.states.isReady({ name: 'pico.unet' })).toBe(true);
    expect(test.states.ready().map(({ name }) => name)).not.toContain(UNET);
    expect(test.states.ready()).toHaveLength(models.size - 1);
  });
});

describe('a model that is loaded', () => {
  it('is ready when a worker has its graph', async () => {
    const test = scriptedPool();
    test.states.unload(UNET);
    const loading = test.states.load(UNET);
    expect(phaseOf(test, UNET)).toEqual(['LOADING', '']);
    expect(test.loaded).toMatchObject([{ model: UNET, file: models.get(UNET)?.file, inputs: [] }]);
    test.succeed();
    await loading;
    expect(phaseOf(test, UNET)).toEqual(['READY', '']);
  });

  it('is unavailable with the reason when none can', async () => {
    const test = scriptedPool();
    test.states.unload(UNET);
    const loading = expect(test.states.load(UNET)).rejects.toMatchObject({
      status: status.INVALID_ARGUMENT,
      message: `load failed for model '${UNET}': version 1 is at UNAVAILABLE state: Internal: no such file;`,
    });
    test.fail(new KserveError(status.UNAVAILABLE, 'no such file'));
    await loading;
    expect(phaseOf(test, UNET)).toEqual(['UNAVAILABLE', 'Internal: no such file']);
  });

  it('while it is unloaded serves on, its requests in progress included', async () => {
    const test = scriptedPool();
    const work = Promise.withResolvers<string>();
    const use = test.states.use({ name: UNET }, () => work.promise);
    test.states.unload(UNET);
    const loading = test.states.load(UNET);
    test.succeed();
    await loading;
    work.resolve('done');
    expect(await use).toBe('done');
    expect(phaseOf(test, UNET)).toEqual(['READY', '']);
    expect(test.released).toEqual([]);
  });

  it('is not, when it is unloaded meanwhile', async () => {
    const test = scriptedPool();
    test.states.unload(UNET);
    const loading = test.states.load(UNET);
    test.states.unload(UNET);
    test.succeed();
    await loading;
    expect(phaseOf(test, UNET)).toEqual(['UNAVAILABLE', 'unloaded']);
    expect(test.released).toHaveLength(2);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openOperator } from '../../src/app.ts';
import type { KserveClient } from '../../src/platform/kserve/index.ts';
import { connectKserve } from '../../src/platform/kserve/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { createDatabase } from '../support/database.ts';
import { eventsOf, QUICK } from '../support/jobs.ts';
import { startPicoNode } from '../support/node.ts';
import type { RunningTriton } from '../support/triton.ts';
import { isTritonSkipped, startTriton } from '../support/triton.ts';

const UNET = 'pico.unet_cfg';
const PARTS = ['text_encoder', 'unet_cfg', 'vae_decoder'];
const SOON = { timeout: 60_000, interval: 50 };

describe.skipIf(isTritonSkipped)('a platform on a real Triton and a node of its own', () => {
  const stack = new AsyncDisposableStack();
  let fleet: ReturnType<typeof openOperator>['fleet'];
  let triton: RunningTriton;
  let client: KserveClient;
  let app: TestApp;
  let tenant: TestTenant;

  beforeAll(async () => {
    triton = stack.use(await startTriton({ parts: PARTS }));
    client = stack.use(connectKserve({ address: triton.address, callTimeoutMs: 30_000 }));
    const database = stack.use(await createDatabase());
    const own = stack.use(await startPicoNode());
    app = stack.use(await startApp({ database, nodeAddress: own.address }));
    ({ fleet } = stack.use(openOperator(database.urls.system, Buffer.from('pepper of the tests'))));
    tenant = await app.createTenant({ credits: 1_000_000 });
    await fleet.add('triton', triton.address);
  });
  afterAll(() => stack.disposeAsync());

  const modelsOfTriton = async () => (await fleet.list()).find(({ name }) => name === 'triton')?.models;
  const evaluations = async () => (await client.modelStatistics({ name: UNET }))[0]?.inference_count ?? 0;

  /** Orders pictures until some are at work on Triton, and lets something happen to it then. */
  async function orderAround(happens: () => void | Promise<void>) {
    await expect.poll(modelsOfTriton, SOON).toContain(UNET);
    const before = await evaluations();
    const orders = Array.from({ length: 8 }, () => tenant.client.submitJob({ ...QUICK, steps: 12 }));
    const jobs = await Promise.all(orders);
    await expect.poll(evaluations, SOON).toBeGreaterThan(before);
    await happens();
    const events = await Promise.all(jobs.map(({ id }) => eventsOf(tenant, id)));
    const counted = await app.sql<{ attempts: number; recoveries: number }>(
      'select attempts, recoveries from job where id = any($1)',
      [jobs.map(({ id }) => id)],
    );
    return { ends: new Set(events.map((each) => each.at(-1)?.type)), counted };
  }

  it(
    'loses no job to a model whose process died, and has the model loaded anew',
    { timeout: 180_000 },
    async () => {
      const { ends, counted } = await orderAround(() => triton.killModel(UNET));
      expect([...ends]).toEqual(['COMPLETED']);
      expect(Math.max(...counted.map(({ attempts }) => attempts))).toBe(1);
      // Which takes part again.
      await expect(orderAround(() => {})).resolves.toMatchObject({ ends: new Set(['COMPLETED']) });
    },
  );

  it(
    'loses no job, and no attempt of one, to a Triton that is told to end',
    { timeout: 180_000 },
    async () => {
      const { ends, counted } = await orderAround(() => triton.terminate());
      expect([...ends]).toEqual(['COMPLETED']);
      expect(counted.filter(({ attempts }) => attempts > 0)).toEqual([]);
      expect(counted.some(({ recoveries }) => recoveries > 0)).toBe(true);
    },
  );
});

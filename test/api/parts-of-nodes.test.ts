import { afterAll, beforeAll, expect, it } from 'vitest';
import { openOperator } from '../../src/app.ts';
import type { KserveClient } from '../../src/platform/kserve/index.ts';
import { connectKserve } from '../../src/platform/kserve/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { createDatabase } from '../support/database.ts';
import { eventsOf, QUICK, runJob } from '../support/jobs.ts';
import { openPicoParts, startPicoNode } from '../support/node.ts';

// A dispatcher looks at a node that is well every ten seconds.
const SOON = { timeout: 25_000, interval: 50 };
const PLAIN = { ...QUICK, guidanceScale: 1 };
const GUIDED = { ...QUICK, guidanceScale: 4 };

const stack = new AsyncDisposableStack();
let fleet: ReturnType<typeof openOperator>['fleet'];
let app: TestApp;
let tenant: TestTenant;
/** The node that has `unet` and not `unet_cfg`. */
let plain: KserveClient;

beforeAll(async () => {
  const database = stack.use(await createDatabase());
  const bundles = [await openPicoParts('text_encoder', 'unet', 'vae_decoder')];
  const node = stack.use(await startPicoNode({ bundles }));
  plain = stack.use(connectKserve({ address: node.address, callTimeoutMs: 20_000 }));
  app = stack.use(await startApp({ database, nodeAddress: node.address }));
  ({ fleet } = stack.use(openOperator(database.urls.system, Buffer.from('pepper of the tests'))));
  tenant = await app.createTenant();
});

afterAll(() => stack.disposeAsync());

const unetsOn = async (client: KserveClient, part: string) =>
  (await client.modelStatistics({ name: `pico.${part}` }))[0]?.inference_count ?? 0;
const stateOf = async (id: string) => (await tenant.client.job(id))?.state;

it('a job waits, without an attempt, while no node serves every part that it calls, and others pass it', async () => {
  const { id } = await tenant.client.submitJob(GUIDED);
  const { job: other } = await runJob(tenant, PLAIN);
  expect(other.state).toBe('SUCCEEDED');
  expect(await stateOf(id)).toBe('QUEUED');
  expect(await app.sql('select attempts, recoveries, started_at from job where id = $1', [id])).toEqual([
    { attempts: 0, recoveries: 0, started_at: null },
  ]);
  expect(await fleet.list()).toMatchObject([
    { engines: ['pico:1'], models: ['pico.text_encoder', 'pico.unet', 'pico.vae_decoder'] },
  ]);
  await tenant.client.cancelJob(id);
});

it('of two nodes a job is given to the one that has all its parts, also when that gets one later', async () => {
  await using whole = await startPicoNode();
  await using client = connectKserve({ address: whole.address, callTimeoutMs: 20_000 });
  await client.unloadModel('pico.unet_cfg');
  await fleet.add('whole', whole.address);
  const models = async () => (await fleet.list()).find(({ name }) => name === 'whole')?.models;
  await expect
    .poll(models, SOON)
    .toEqual(['pico.text_encoder', 'pico.unet', 'pico.vae_decoder', 'pico.vae_encoder']);

  const guided = await Promise.all([1, 2, 3].map(() => tenant.client.submitJob(GUIDED)));
  expect((await runJob(tenant, PLAIN)).job.state).toBe('SUCCEEDED');
  expect(await Promise.all(guided.map(({ id }) => stateOf(id)))).toEqual(['QUEUED', 'QUEUED', 'QUEUED']);

  await client.loadModel('pico.unet_cfg');
  const events = await Promise.all(guided.map(({ id }) => eventsOf(tenant, id)));
  for (const each of events) {
    expect(each.filter(({ type }) => type === 'STARTED')).toHaveLength(1);
    expect(each.at(-1)?.type).toBe('COMPLETED');
  }
  expect(await unetsOn(client, 'unet_cfg')).toBe(12);
  expect(await unetsOn(plain, 'unet')).toBeGreaterThan(0);
});

import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import type { FaultyNode, FaultyReply } from '../support/faulty-node.ts';
import { startFaultyPico } from '../support/faulty-pico.ts';
import { eventsOf, QUICK, runJob } from '../support/jobs.ts';

let stack: AsyncDisposableStack;
let node: FaultyNode;
let app: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  node = await startFaultyPico(stack);
  app = stack.use(await startApp({ nodeAddress: node.address }));
  tenant = await app.createTenant();
});

afterAll(() => stack.disposeAsync());

beforeEach(() => {
  node.reply = 'ok';
});

/** Every failed job: told, not charged, its one ledger row of 0 credits, nothing held. */
async function expectUncharged(jobId: string): Promise<void> {
  expect(await app.sql('select credits from usage_entry where job_id = $1', [jobId])).toEqual([
    { credits: 0 },
  ]);
  expect(
    await app.sql('select 1 from reservation where job_id = $1 and settled_at is null', [jobId]),
  ).toEqual([]);
  expect(await app.sql('select 1 from image where job_id = $1', [jobId])).toEqual([]);
}

describe('an engine that answers', () => {
  it('with NaN ends the job at once as MODEL_NUMERIC_ERROR, uncharged', async () => {
    node.reply = 'nan-output';
    const { job, events } = await runJob(tenant, QUICK);
    expect(job).toMatchObject({ state: 'FAILED', credits: 0, error: { code: 'MODEL_NUMERIC_ERROR' } });
    expect(events.at(-1)).toMatchObject({ type: 'FAILED', error: { code: 'MODEL_NUMERIC_ERROR' } });
    await expectUncharged(job.id);
  });

  it('that the request can never run ends the job at once as ENGINE_FAILED', async () => {
    node.reply = {
      code: status.INVALID_ARGUMENT,
      details: "unexpected shape for input 'sample' for model 'pico.unet_cfg'",
    };
    const { job, events } = await runJob(tenant, QUICK);
    expect(job).toMatchObject({ state: 'FAILED', error: { code: 'ENGINE_FAILED' } });
    expect(job.error?.message).not.toMatch(/shape|unet/);
    expect(events.filter((event) => event.type === 'STARTED')).toHaveLength(1);
    await expectUncharged(job.id);
  });

  it.each<[string, FaultyReply]>([
    ['with too few bytes', 'short-output'],
    ['with nothing', 'empty-output'],
    ['with another shape', 'wrong-shape'],
    ['that its stub died', { code: status.INTERNAL, details: "Stub process 'unet_0_0' is not healthy." }],
  ])('%s is given no more jobs, which wait until it answers rightly', async (_, reply) => {
    node.reply = reply;
    const calls = node.calls;
    const { id } = await tenant.client.submitJob(QUICK);
    // The job's own, and the trial after it.
    await node.until(() => node.calls >= calls + 2);
    await expect.poll(async () => (await tenant.client.job(id))?.state).toBe('QUEUED');
    node.reply = 'ok';
    const events = await eventsOf(tenant, id);
    expect(events.at(-1)?.type).toBe('COMPLETED');
    expect(events.filter((event) => event.type === 'STARTED')).toHaveLength(2);
    expect(await app.sql('select attempts from job where id = $1', [id])).toEqual([{ attempts: 1 }]);
  });

  it('others rightly and one job wrongly is asked by it again twice, and then the job ends, uncharged', async () => {
    node.reply = ({ raw_input_contents = [] }) =>
      raw_input_contents.some((bytes) => bytes.some((byte) => byte !== 0)) ? 'short-output' : 'ok';
    const { job, events } = await runJob(tenant, QUICK);
    expect(job).toMatchObject({ state: 'FAILED', error: { code: 'NODE_UNAVAILABLE' } });
    expect(events.filter((event) => event.type === 'STARTED')).toHaveLength(3);
    expect(events.filter((event) => event.type === 'REQUEUED')).toHaveLength(2);
    await expectUncharged(job.id);
  });
});

describe('an engine that fails once', () => {
  it('costs the job an attempt and nothing else: the picture is the same', async () => {
    const { job: reference } = await runJob(tenant, QUICK);
    const calls = node.calls;
    const { id } = await tenant.client.submitJob({ ...QUICK, steps: 4 });
    await node.until(() => node.calls >= calls + 3);
    node.reply = 'drop';
    await node.until(() => node.calls >= calls + 4);
    node.reply = 'ok';
    const events = await Array.fromAsync(tenant.client.followJob(id));
    expect(events.map((event) => event.type)).toContain('REQUEUED');
    const job = await tenant.client.job(id);
    expect(job?.images[0]?.pixelSha256).toBe(reference.images[0]?.pixelSha256);
    expect(await app.sql('select credits from usage_entry where job_id = $1', [id])).toEqual([
      { credits: -4 },
    ]);
  });
});

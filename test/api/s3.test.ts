import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { StartError } from '../../src/kernel/errors.ts';
import { connectKserve } from '../../src/platform/kserve/index.ts';
import type { S3Settings } from '../../src/platform/objects/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { createDatabase } from '../support/database.ts';
import type { FaultyNode } from '../support/faulty-node.ts';
import { startFaultyNode } from '../support/faulty-node.ts';
import { QUICK, runJob } from '../support/jobs.ts';
import { startPicoNode } from '../support/node.ts';
import type { S3Proxy } from '../support/s3-proxy.ts';
import { startS3Proxy } from '../support/s3-proxy.ts';
import { isS3Skipped, startS3Server, toS3Variables } from '../support/s3-server.ts';

describe.skipIf(isS3Skipped)('the platform with its pictures in S3', () => {
  let stack: AsyncDisposableStack;
  let proxy: S3Proxy;
  let node: FaultyNode;
  let settings: S3Settings;
  let app: TestApp;
  let tenant: TestTenant;

  beforeAll(async () => {
    stack = new AsyncDisposableStack();
    const server = stack.use(await startS3Server());
    proxy = stack.use(await startS3Proxy(server.port));
    settings = { ...(await server.createBucket()), endpoint: proxy.endpoint };
    const real = stack.use(await startPicoNode());
    const behind = stack.use(
      connectKserve({ address: real.address, callTimeoutMs: 20_000, clock: systemClock }),
    );
    node = stack.use(await startFaultyNode({ behind }));
    app = stack.use(await startApp({ nodeAddress: node.address, variables: toS3Variables(settings) }));
    tenant = await app.createTenant();
  });
  afterAll(() => stack.disposeAsync());
  beforeEach(() => {
    proxy.always = null;
    proxy.faults.length = 0;
    proxy.requests.length = 0;
  });

  function takeStoreAway(): void {
    proxy.always = 'slow-down';
    proxy.requests.length = 0;
  }

  /** Resolves once the store has been asked to keep something since it was taken away. */
  async function untilRefused(): Promise<void> {
    while (!proxy.requests.some((each) => each.startsWith('PUT'))) await systemClock.sleep(20);
  }

  it('gives out links to S3, and serves no objects itself', async () => {
    const { job } = await runJob(tenant, QUICK);
    const [image] = job.images;
    const url = image?.url ?? '';
    const bucket = `${settings.endpoint}/${settings.bucket}/`;
    expect(url.startsWith(`${bucket}${tenant.id}/${job.id}/1/`)).toBe(true);
    const picture = await fetch(url);
    expect(picture.headers.get('content-disposition')).toBe(`attachment; filename="${image?.id}.png"`);
    const bytes = Buffer.from(await picture.arrayBuffer());
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(image?.sha256);
    expect((await fetch(image?.thumbnailUrl ?? '')).headers.get('content-type')).toBe('image/webp');

    const here = new URL(`/objects/${tenant.id}/${job.id}`, app.api);
    expect((await fetch(here)).status).toBe(404);
  });

  it('survives a store that hiccups without drawing the picture again', async () => {
    const callsOf = async () => {
      const before = node.calls;
      const done = await runJob(tenant, QUICK);
      return { ...done, calls: node.calls - before };
    };
    const undisturbed = await callsOf();
    // Three of a kind outlast the store's own patience with one write.
    proxy.faults.push('slow-down', 'slow-down', 'slow-down');
    proxy.faults.push('cut-request', 'cut-request', 'cut-request');
    proxy.faults.push('damage', 'lose-answer');
    const disturbed = await callsOf();

    expect(proxy.faults).toEqual([]);
    expect(disturbed.calls).toBe(undisturbed.calls);
    expect(disturbed.events.map(({ type }) => type)).not.toContain('REQUEUED');
    expect(disturbed.job).toMatchObject({ state: 'SUCCEEDED', credits: undisturbed.job.credits });
    expect(disturbed.job.images[0]?.pixelSha256).toBe(undisturbed.job.images[0]?.pixelSha256);
    expect((await fetch(disturbed.job.images[0]?.url ?? '')).status).toBe(200);
  });

  it('lets go of a cancelled job while the store is away, uncharged', async () => {
    takeStoreAway();
    const { id } = await tenant.client.submitJob(QUICK);
    await untilRefused();
    await tenant.client.cancelJob(id);
    const events = await Array.fromAsync(tenant.client.followJob(id));
    expect(events.at(-1)?.type).toBe('CANCELLED');
    expect(await tenant.client.job(id)).toMatchObject({ state: 'CANCELLED', credits: 0, images: [] });
  });

  it('gives a job back without an attempt when it ends while the store is away', async () => {
    await using database = await createDatabase();
    const variables = toS3Variables(settings);
    const ending = await startApp({ nodeAddress: node.address, variables, database });
    const { client } = await ending.createTenant();
    takeStoreAway();
    const { id } = await client.submitJob(QUICK);
    await untilRefused();
    await ending[Symbol.asyncDispose]();

    proxy.always = null;
    await using next = await startApp({ nodeAddress: null, variables, database });
    expect(await next.sql('select state::text, attempts, recoveries from job where id = $1', [id])).toEqual([
      { state: 'QUEUED', attempts: 0, recoveries: 0 },
    ]);
  });

  it('does not start without a bucket that it can write to', async () => {
    const variables = toS3Variables({ ...settings, bucket: 'test-missing' });
    await expect(startApp({ variables })).rejects.toThrow(StartError);
  });
});

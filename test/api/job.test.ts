import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobSubmitInput } from '../../src/client/index.ts';
import type { RunningNode } from '../../src/node/index.ts';
import { startNode } from '../../src/node/index.ts';
import { openBundles } from '../../src/platform/bundles/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { MODELS, startApp } from '../support/app.ts';
import { decodePixels, formatOf } from '../support/pixels.ts';
import { eventsOf, lasting, QUICK, runJob, waitForEvent } from '../support/jobs.ts';
import { silent } from '../support/node.ts';

let node: RunningNode;
let app: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  node = await startNode({ bundles: await openBundles(MODELS), logger: silent });
  app = await startApp({ nodeAddress: node.address });
  tenant = await app.createTenant();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
});

const ledgerOf = (jobId: string) =>
  app.sql<{ kind: string; credits: number }>('select kind, credits from usage_entry where job_id = $1', [
    jobId,
  ]);

describe('a job', () => {
  it('goes from a prompt to a stored picture of what was asked for', async () => {
    const { job } = await runJob(tenant, { prompt: 'a red apple, blue background', seed: '7' });
    expect(job).toMatchObject({ state: 'SUCCEEDED', step: 25, totalSteps: 25, credits: 25, error: null });
    const [image] = job.images;
    if (!image) throw new Error('no image');
    const bytes = await tenant.client.download(image);
    const { data, info } = await decodePixels(bytes);
    expect(info).toMatchObject({ width: 128, height: 128, channels: 3 });
    expect(createHash('sha256').update(data).digest('hex')).toBe(image.pixelSha256);
    const pixel = (x: number, y: number) => [...data.subarray((y * 128 + x) * 3, (y * 128 + x) * 3 + 3)];
    const [red = 0, , blueOfRed = 0] = pixel(64, 80);
    const [redOfBlue = 0, , blue = 0] = pixel(4, 4);
    expect(red).toBeGreaterThan(blueOfRed + 80);
    expect(blue).toBeGreaterThan(redOfBlue + 80);
  });

  it('takes what it was not told from the manifest, and says so', async () => {
    const job = await tenant.client.submitJob({ prompt: 'a dog' });
    const { data } = await app.request(
      tenant,
      `query ($id: ID!) { job(id: $id) { steps guidanceScale scheduler sigmaSchedule width height imageCount
        previewEverySteps outputFormat negativePrompt metadata { key } } }`,
      { id: job.id },
    );
    expect(data).toEqual({
      job: {
        steps: 25,
        guidanceScale: 4,
        scheduler: 'DPM_SOLVER_MULTISTEP',
        sigmaSchedule: 'KARRAS',
        width: 128,
        height: 128,
        imageCount: 1,
        previewEverySteps: 5,
        outputFormat: 'PNG',
        negativePrompt: '',
        metadata: [],
      },
    });
    await eventsOf(tenant, job.id);
  });

  it('tells its events in order, without holes, and the last STEP is the last step', async () => {
    const { job, events } = await runJob(tenant, { ...QUICK, steps: 12, previewEverySteps: 3 });
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, index) => index + 1));
    const types = events.map((event) => event.type);
    expect(types.slice(0, 2)).toEqual(['QUEUED', 'STARTED']);
    expect(types.slice(-2)).toEqual(['IMAGE', 'COMPLETED']);
    const steps = events.filter(({ type }) => type === 'STEP' || type === 'PREVIEW').map(({ step }) => step);
    expect(steps).toEqual(steps.toSorted((a, b) => (a ?? 0) - (b ?? 0)));
    expect(steps.at(-1)).toBe(job.totalSteps);
    const previews = events.filter((event) => event.type === 'PREVIEW');
    expect(previews.length).toBeGreaterThan(0);
    for (const { preview, step } of previews) {
      expect(step).toBeOneOf([3, 6, 9]);
      const file = Buffer.from((preview ?? '').replace('data:image/webp;base64,', ''), 'base64');
      expect(await formatOf(file)).toBe('webp');
    }
    expect(events.find((event) => event.type === 'IMAGE')?.image?.id).toBe(job.images[0]?.id);
  });

  it('is charged exactly once, what it was quoted, and its reservation is settled', async () => {
    const { job } = await runJob(tenant, { ...QUICK, imageCount: 3 });
    expect(job.credits).toBe(12);
    expect(await ledgerOf(job.id)).toEqual([{ kind: 'USAGE', credits: -12 }]);
    const [reservation] = await app.sql<{ settled_at: Date | null }>(
      'select settled_at from reservation where job_id = $1',
      [job.id],
    );
    expect(reservation?.settled_at).not.toBeNull();
  });

  it('costs nothing under a TEST key, and still has its one ledger row', async () => {
    const tester = await app.createTenant({ credits: 0, environment: 'TEST' });
    const { job } = await runJob(tester, QUICK);
    expect(job).toMatchObject({ state: 'SUCCEEDED', credits: 0 });
    expect(await ledgerOf(job.id)).toEqual([{ kind: 'USAGE', credits: 0 }]);
  });

  it('makes the same pixels from the same seed, and picture i is the picture of seed + i', async () => {
    const { job: three } = await runJob(tenant, { ...QUICK, imageCount: 3, seed: '18446744073709551615' });
    expect(three.images.map((image) => image.seed)).toEqual(['18446744073709551615', '0', '1']);
    const { job: alone } = await runJob(tenant, { ...QUICK, seed: '1' });
    expect(three.images[2]?.pixelSha256).toBe(alone.images[0]?.pixelSha256);
    expect(three.images[1]?.pixelSha256).not.toBe(alone.images[0]?.pixelSha256);
  });

  it.each<[string, JobSubmitInput]>([
    ['Euler', { ...QUICK, scheduler: 'EULER_DISCRETE' }],
    ['Euler with Karras sigmas', { ...QUICK, scheduler: 'EULER_DISCRETE', sigmaSchedule: 'KARRAS' }],
    ['no guidance', { ...QUICK, guidanceScale: 1 }],
    ['another size', { ...QUICK, width: 192, height: 160 }],
    ['a negative prompt', { ...QUICK, negativePrompt: 'a leaf' }],
    ['eight pictures', { ...QUICK, imageCount: 8 }],
  ])('runs with %s', async (_, input) => {
    const { job } = await runJob(tenant, input);
    expect(job).toMatchObject({ state: 'SUCCEEDED' });
    expect(job.images).toHaveLength(input.imageCount ?? 1);
    expect(job.images[0]).toMatchObject({ width: input.width ?? 128, height: input.height ?? 128 });
  });

  it.each(['JPEG', 'WEBP'] as const)('stores %s with the pixels of the PNG', async (outputFormat) => {
    const { job: png } = await runJob(tenant, QUICK);
    const { job } = await runJob(tenant, { ...QUICK, outputFormat });
    const [image] = job.images;
    if (!image) throw new Error('no image');
    expect(await formatOf(await tenant.client.download(image))).toBe(outputFormat.toLowerCase());
    expect(image.pixelSha256).toBe(png.images[0]?.pixelSha256);
  });

  it('draws in the style of the variant that was asked for', async () => {
    const variants = await tenant.client.variants();
    expect(variants.map((variant) => variant.name)).toEqual(['pico', 'pico-noto']);
    const jobs = await Promise.all(variants.map(({ id }) => runJob(tenant, { ...QUICK, variantId: id })));
    const [first, second] = jobs.map(({ job }) => job.images[0]?.pixelSha256);
    expect(first).not.toBe(second);
  });
});

describe('events', () => {
  it('replay what was missed, from any number on, and end at once after the last', async () => {
    const { job, events } = await runJob(tenant, { ...QUICK, steps: 10 });
    for (const after of [1, 3, events.length - 1]) {
      const replayed = await eventsOf(tenant, job.id, { after });
      expect(lasting(replayed)).toEqual(lasting(events.slice(after)));
    }
    expect(await eventsOf(tenant, job.id, { after: events.length })).toEqual([]);
  });

  it('tell progress that is gone as a GAP under the last number missed', async () => {
    const { job, events } = await runJob(tenant, { ...QUICK, steps: 10 });
    await app.sql('delete from job_progress where job_id = $1', [job.id]);
    const replayed = await eventsOf(tenant, job.id);
    expect(replayed.map((event) => event.type)).toEqual(['QUEUED', 'STARTED', 'GAP', 'IMAGE', 'COMPLETED']);
    expect(replayed[2]?.sequence).toBe(events.length - 2);
  });

  it('reach several subscribers alike, while the job runs', async () => {
    const { id } = await tenant.client.submitJob({ ...QUICK, steps: 30 });
    const [first, second] = await Promise.all([eventsOf(tenant, id), eventsOf(tenant, id)]);
    expect(lasting(first)).toEqual(lasting(second));
  });
});

describe('cancelling', () => {
  it('stops a running job within a step, charges what ran, and says at which step', async () => {
    const { id } = await tenant.client.submitJob({ ...QUICK, steps: 150 });
    await waitForEvent(tenant, id, 'STEP');
    await tenant.client.cancelJob(id);
    const events = await eventsOf(tenant, id);
    const last = events.at(-1);
    expect(last?.type).toBe('CANCELLED');
    expect(last?.step).toBeLessThan(150);
    const job = await tenant.client.job(id);
    expect(job).toMatchObject({ state: 'CANCELLED', step: last?.step, credits: last?.step, images: [] });
    expect(await ledgerOf(id)).toEqual([{ kind: 'USAGE', credits: -(last?.step ?? 0) }]);
  });

  it('leaves a finished job as it is', async () => {
    const { job } = await runJob(tenant, QUICK);
    expect(await tenant.client.cancelJob(job.id)).toMatchObject({ state: 'SUCCEEDED', credits: job.credits });
    expect(await ledgerOf(job.id)).toHaveLength(1);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';

const SUBMIT = `mutation ($input: JobSubmitInput!) {
  jobSubmit(input: $input) { job { id } userErrors { code field } }
}`;
const TWINS = 20;

interface Payload {
  readonly job: { readonly id: string } | null;
  readonly userErrors: readonly { readonly code: string; readonly field: readonly string[] }[];
}

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(() => app[Symbol.asyncDispose]());

async function submit(tenant: TestTenant, input: object): Promise<Payload> {
  const { status, data, errors } = await app.request(tenant, SUBMIT, {
    input: { prompt: 'an apple', steps: 4, idempotencyKey: 'once', ...input },
  });
  expect({ status, errors }).toEqual({ status: 200, errors: [] });
  return (data as unknown as { jobSubmit: Payload }).jobSubmit;
}

const atOnce = (tenant: TestTenant, inputOf: (i: number) => object = () => ({})) =>
  Promise.all(Array.from({ length: TWINS }, (_, i) => submit(tenant, inputOf(i))));

/** How many rows a tenant has of all that a submit writes. */
async function rowsOf({ id }: TestTenant): Promise<Record<string, number>> {
  const tables = ['job', 'event', 'reservation', 'idempotency_record', 'job_metadata'];
  const count = async (table: string) => {
    const [row] = await app.sql<{ n: number }>(
      `select count(*)::int as n from ${table} where tenant_id = $1`,
      [id],
    );
    return [table, row?.n ?? -1] as const;
  };
  return Object.fromEntries(await Promise.all(tables.map(count)));
}

const ONE = { job: 1, event: 1, reservation: 1, idempotency_record: 1, job_metadata: 1 };
const NONE = { job: 0, event: 0, reservation: 0, idempotency_record: 0, job_metadata: 0 };
const metadata = [{ key: 'order', value: '7' }];

describe('an idempotency key', () => {
  it('makes one job of twenty twins that come at once, and tells all of them the same', async () => {
    const tenant = await app.createTenant();
    const answers = await atOnce(tenant, () => ({ metadata }));
    expect(new Set(answers.map(({ job }) => job?.id)).size).toBe(1);
    expect(answers.flatMap(({ userErrors }) => userErrors)).toEqual([]);
    expect(await rowsOf(tenant)).toEqual(ONE);
    expect(await tenant.client.viewer()).toMatchObject({ balanceCredits: 996 });
  });

  it('lets one of twenty in that come at once with other input each, and is a CONFLICT to the rest', async () => {
    const tenant = await app.createTenant();
    const answers = await atOnce(tenant, (i) => ({ metadata, seed: String(i) }));
    expect(answers.filter(({ job }) => job !== null)).toHaveLength(1);
    expect(answers.filter(({ job }) => job === null).map(({ userErrors }) => userErrors)).toEqual(
      Array.from({ length: TWINS - 1 }, () => [{ code: 'CONFLICT', field: ['idempotencyKey'] }]),
    );
    expect(await rowsOf(tenant)).toEqual(ONE);
  });

  it('of twenty submits that are refused at once is free afterwards', async () => {
    const tenant = await app.createTenant({ credits: 3 });
    const answers = await atOnce(tenant, () => ({ metadata }));
    expect(answers.map(({ userErrors }) => userErrors)).toEqual(
      Array.from({ length: TWINS }, () => [{ code: 'QUOTA_EXCEEDED', field: [] }]),
    );
    expect(await rowsOf(tenant)).toEqual(NONE);
    expect((await submit(tenant, { steps: 3, metadata })).job).not.toBeNull();
    expect(await rowsOf(tenant)).toEqual(ONE);
  });

  it('is not held by a refused submit that came at once with a good one', async () => {
    const tenant = await app.createTenant();
    const answers = await atOnce(tenant, (i) => ({ metadata, steps: i % 2 === 0 ? 0 : 4 }));
    const ids = new Set(answers.flatMap(({ job }) => job?.id ?? []));
    expect(ids.size).toBe(1);
    const codes = new Set(answers.flatMap(({ userErrors }) => userErrors.map(({ code }) => code)));
    // One that came after the good one contradicts it; one that came before was no job.
    expect([...codes].filter((code) => code !== 'CONFLICT' && code !== 'INVALID_INPUT')).toEqual([]);
    expect(await rowsOf(tenant)).toEqual(ONE);
  });

  it('is the tenant’s own', async () => {
    const [one, other] = [await app.createTenant(), await app.createTenant()];
    const [first, second] = [await submit(one, {}), await submit(other, { seed: '1' })];
    expect(second.userErrors).toEqual([]);
    expect(second.job?.id).not.toBe(first.job?.id);
  });

  it('stands for what a request means, however that is written', async () => {
    const tenant = await app.createTenant();
    const notes = [...metadata, { key: 'colour', value: 'red' }];
    const { job } = await submit(tenant, { metadata: notes, seed: '7', guidanceScale: 4 });
    const [variant] = await tenant.client.variants();
    const { nativeSize, defaults } = variant?.liveVersion ?? {};
    for (const input of [
      { steps: 4, guidanceScale: 4 },
      { seed: 7, guidanceScale: 4 },
      { metadata: notes.toReversed() },
      { metadata: notes.map(({ key, value }) => ({ value, key })) },
      { imageCount: 1, previewEverySteps: 5, outputFormat: 'PNG', negativePrompt: '' },
      { width: nativeSize, height: nativeSize, variantId: variant?.id },
      { scheduler: defaults?.scheduler, sigmaSchedule: defaults?.sigmaSchedule },
    ]) {
      const again = { metadata: notes, seed: '7', ...input };
      expect(await submit(tenant, again), JSON.stringify(input)).toEqual({ job, userErrors: [] });
    }
    expect(await rowsOf(tenant)).toEqual({ ...ONE, job_metadata: 2 });
  });

  it('is a CONFLICT for a request that means something else', async () => {
    const tenant = await app.createTenant();
    const { job } = await submit(tenant, { metadata, seed: null, steps: 4 });
    expect(await submit(tenant, { metadata })).toEqual({ job, userErrors: [] });
    const conflict = { job: null, userErrors: [{ code: 'CONFLICT', field: ['idempotencyKey'] }] };
    const [defaults] = (await tenant.client.variants()).map(({ liveVersion }) => liveVersion.defaults);
    for (const input of [
      {},
      { metadata: [] },
      { metadata, prompt: 'an apple ' },
      { metadata, prompt: 'an apple\u0301' },
      { metadata, seed: '0' },
      { metadata, imageCount: 2 },
      { metadata, negativePrompt: ' ' },
      { metadata, variantId: 'var_00000000000000000000000000' },
      // Named, it brings its own noise levels along.
      { metadata, scheduler: defaults?.scheduler },
      { metadata: [{ key: 'order', value: '7 ' }] },
      { metadata: [{ key: '7', value: 'order' }] },
    ]) {
      expect(await submit(tenant, input), JSON.stringify(input)).toEqual(conflict);
    }
    expect(await rowsOf(tenant)).toEqual(ONE);
  });

  it('of a request that is repeated as it was holds when the defaults have changed, or the variant went', async () => {
    const tenant = await app.createTenant();
    const { job } = await submit(tenant, {});
    await app.sql(
      `update variant_version set manifest = jsonb_set(manifest, '{defaults,guidanceScale}', '5')`,
    );
    expect(await submit(tenant, {})).toEqual({ job, userErrors: [] });
    await app.sql(`update variant set visibility = 'PRIVATE'`);
    expect(await submit(tenant, {})).toEqual({ job, userErrors: [] });
    await app.sql(`update variant set visibility = 'PUBLIC'`);
    await app.sql(
      `update variant_version set manifest = jsonb_set(manifest, '{defaults,guidanceScale}', '4')`,
    );
  });

  it('of the test environment is another than the same of the live one', async () => {
    const live = await app.createTenant();
    const { text } = await app.onboarding.issueKey(live.id, { name: 'test', environment: 'TEST' });
    const test = { ...live, apiKey: text };
    const [first, second] = [await submit(live, {}), await submit(test, {})];
    expect(second.userErrors).toEqual([]);
    expect(second.job?.id).not.toBe(first.job?.id);
    expect(await submit(test, { steps: 5 })).toMatchObject({ userErrors: [{ code: 'CONFLICT' }] });
    expect(await submit(test, {})).toEqual(second);
    expect(await submit(live, {})).toEqual(first);
  });
});

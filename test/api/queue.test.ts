import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DarkroomUserErrors } from '../../src/client/index.ts';
import type { TestApp } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { eventsOf, QUICK } from '../support/jobs.ts';

// No node: what is submitted stays queued, so that what happens before a run can be looked at.
let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(() => app[Symbol.asyncDispose]());

const refusal = async (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) =>
      error instanceof DarkroomUserErrors ? error.errors.map(({ code, field }) => ({ code, field })) : error,
  );

describe('submitting', () => {
  it('holds the price until the job ends, and gives it back when the job is cancelled before it ran', async () => {
    const tenant = await app.createTenant({ credits: 100 });
    const job = await tenant.client.submitJob({ ...QUICK, steps: 30 });
    expect(await tenant.client.viewer()).toMatchObject({ balanceCredits: 70 });
    expect(await tenant.client.cancelJob(job.id)).toMatchObject({ state: 'CANCELLED', credits: 0 });
    expect(await tenant.client.viewer()).toMatchObject({ balanceCredits: 100 });
    expect(await app.sql('select 1 from usage_entry where job_id = $1', [job.id])).toEqual([]);
    expect((await eventsOf(tenant, job.id)).map((event) => event.type)).toEqual(['QUEUED', 'CANCELLED']);
  });

  it('never spends the last credits twice, however many submits come at once', async () => {
    const tenant = await app.createTenant({ credits: 10 * 4 });
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, () => refusal(tenant.client.submitJob(QUICK))),
    );
    expect(outcomes.filter((outcome) => outcome === null)).toHaveLength(10);
    expect(outcomes.filter((outcome) => outcome !== null)).toEqual(
      Array.from({ length: 30 }, () => [{ code: 'QUOTA_EXCEEDED', field: [] }]),
    );
    expect(await tenant.client.viewer()).toMatchObject({ balanceCredits: 0 });
  });

  it('keeps to the depth of queue that the plan allows', async () => {
    const tenant = await app.createTenant();
    await app.sql(`update plan set queued_jobs_max = 3`);
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => refusal(tenant.client.submitJob(QUICK))),
    );
    await app.sql(`update plan set queued_jobs_max = 1000`);
    expect(outcomes.filter((outcome) => outcome === null)).toHaveLength(3);
  });

  it('returns the first job for the same idempotency key, also to twins that come at once', async () => {
    const tenant = await app.createTenant();
    const input = { ...QUICK, idempotencyKey: 'once' };
    const jobs = await Promise.all(Array.from({ length: 8 }, () => tenant.client.submitJob(input)));
    expect(new Set(jobs.map((job) => job.id)).size).toBe(1);
    expect(await app.sql('select 1 from job where tenant_id = $1', [tenant.id])).toHaveLength(1);
    expect(await tenant.client.viewer()).toMatchObject({ balanceCredits: 996 });
  });

  it('refuses an idempotency key that stands for other input', async () => {
    const tenant = await app.createTenant();
    await tenant.client.submitJob({ ...QUICK, idempotencyKey: 'k' });
    expect(await refusal(tenant.client.submitJob({ ...QUICK, steps: 5, idempotencyKey: 'k' }))).toEqual([
      { code: 'CONFLICT', field: ['idempotencyKey'] },
    ]);
  });

  it('remembers no idempotency key of a submit that was refused', async () => {
    const tenant = await app.createTenant();
    const refused = { ...QUICK, steps: 0, idempotencyKey: 'again' };
    expect(await refusal(tenant.client.submitJob(refused))).toEqual([
      { code: 'INVALID_INPUT', field: ['steps'] },
    ]);
    expect(await app.sql('select 1 from idempotency_record where tenant_id = $1', [tenant.id])).toEqual([]);
    expect(await tenant.client.submitJob({ ...refused, steps: 4 })).toMatchObject({ state: 'QUEUED' });
  });

  it('keeps prompts and metadata as they are, whatever characters they have', async () => {
    const tenant = await app.createTenant();
    const prompt = `e${'\u0301'.repeat(1_000)} \u202eright to left\u202c 👩‍👩‍👧 Ａ "quoted" \\ $& {{x}}`;
    const metadata = [
      { key: '__proto__', value: 'polluted' },
      { key: 'constructor', value: '' },
    ];
    const { id } = await tenant.client.submitJob({ ...QUICK, prompt, metadata });
    const { data } = await app.request(
      tenant,
      'query ($id: ID!) { job(id: $id) { prompt metadata { key value } } }',
      { id },
    );
    expect(data).toEqual({ job: { prompt, metadata } });
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('the list of jobs', () => {
  it('pages exactly, newest first, while jobs are added', async () => {
    const tenant = await app.createTenant();
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) ids.push((await tenant.client.submitJob(QUICK)).id);
    const query = `query ($after: String) { jobs(first: 2, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }`;
    const seen: string[] = [];
    let after: string | null = null;
    for (let hasNext = true; hasNext;) {
      const { data }: { data: unknown } = await app.request(tenant, query, { after });
      const { jobs } = data as {
        jobs: { nodes: { id: string }[]; pageInfo: { hasNextPage: boolean; endCursor: string } };
      };
      seen.push(...jobs.nodes.map((node) => node.id));
      after = jobs.pageInfo.endCursor;
      hasNext = jobs.pageInfo.hasNextPage;
      await tenant.client.submitJob(QUICK);
    }
    expect(seen).toEqual(ids.toReversed());
  });

  it('narrows by state, variant, metadata and time of creation', async () => {
    const tenant = await app.createTenant();
    const [pico, noto] = await tenant.client.variants();
    const plain = await tenant.client.submitJob({ ...QUICK, variantId: pico?.id ?? '' });
    const tagged = await tenant.client.submitJob({ ...QUICK, metadata: [{ key: 'order', value: '7' }] });
    const other = await tenant.client.submitJob({ ...QUICK, variantId: noto?.id ?? '' });
    await tenant.client.cancelJob(plain.id);
    const find = async (filter: object) => {
      const { data } = await app.request(
        tenant,
        'query ($filter: JobFilterInput) { jobs(filter: $filter) { nodes { id } } }',
        {
          filter,
        },
      );
      return (data as unknown as { jobs: { nodes: { id: string }[] } }).jobs.nodes.map((node) => node.id);
    };
    expect(await find({ states: ['CANCELLED'] })).toEqual([plain.id]);
    expect(await find({ variantId: noto?.id })).toEqual([other.id]);
    expect(await find({ metadata: { key: 'order', value: '7' } })).toEqual([tagged.id]);
    expect(await find({ metadata: { key: 'order', value: '8' } })).toEqual([]);
    expect(await find({ createdAfter: '2100-01-01T00:00:00Z' })).toEqual([]);
    expect(await find({ createdBefore: '2100-01-01T00:00:00Z' })).toHaveLength(3);
  });
});

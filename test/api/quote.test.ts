import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobSubmitInput } from '../../src/client/index.ts';
import { createClient } from '../../src/client/index.ts';
import { SCHEDULER_NAMES, SIGMA_SCHEDULES } from '../../src/diffusion/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { QUICK } from '../support/jobs.ts';
import { givePrivateVariant } from '../support/variants.ts';

let app: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  app = await startApp();
  tenant = await app.createTenant({ credits: 1_000_000 });
});

afterAll(() => app[Symbol.asyncDispose]());

const FOUND = 'findings { code severity field message fix }';
const REFUSED = 'userErrors { code field message finding }';
const SUBMIT = `mutation ($input: JobSubmitInput!) {
  jobSubmit(input: $input) { job { id totalSteps credits ${FOUND} } ${REFUSED} } }`;

interface Submitted {
  readonly job: {
    readonly id: string;
    readonly totalSteps: number;
    readonly credits: number;
    readonly findings: readonly object[];
  } | null;
  readonly userErrors: readonly { readonly code: string; readonly field: readonly string[] }[];
}

async function submit(asker: TestTenant, input: JobSubmitInput): Promise<Submitted> {
  const { data, errors } = await app.request(asker, SUBMIT, { input });
  expect(errors).toEqual([]);
  return (data as unknown as { jobSubmit: Submitted }).jobSubmit;
}

/** Quotes, submits, and holds one against the other; returns what was submitted. */
async function compare(asker: TestTenant, input: JobSubmitInput): Promise<Submitted> {
  const quote = await asker.client.quoteJob(input);
  const submitted = await submit(asker, input);
  const { job, userErrors } = submitted;
  expect(quote.userErrors).toEqual(userErrors);
  if (job === null) return submitted;
  expect(quote).toMatchObject({
    evaluationsPerPicture: job.totalSteps,
    credits: job.credits,
    findings: job.findings,
  });
  // Out of the queue again, so that the next one finds the tenant as this one did.
  await asker.client.cancelJob(job.id);
  return submitted;
}

/** Mostly what is possible, so that many of the inputs are accepted although each has many fields. */
const mostly = <T>(good: fc.Arbitrary<T>, ...bad: readonly T[]) =>
  fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: fc.constantFrom(...bad) });

const side = mostly(fc.constantFrom(64, 96, 128, 160, 256), 0, 7, 513, 65_536);
const samplerOptions = fc.record(
  {
    eta: fc.constantFrom(0, 0.5, 1, 7),
    sChurn: fc.constantFrom(0, 10, 1e9),
    solverOrder: fc.constantFrom(1, 2, 3, 4),
    timestepSpacing: fc.constantFrom('LINSPACE' as const, 'TRAILING' as const),
    timesteps: fc.constantFrom([999, 600, 200], [1, 2]),
  },
  { requiredKeys: [] },
);
const inputs: fc.Arbitrary<JobSubmitInput> = fc.record(
  {
    prompt: mostly(
      fc.constantFrom('an apple', 'a (red:1.4) apple BREAK blue', 'word '.repeat(300)),
      ' ',
      '(a:99)',
    ),
    negativePrompt: mostly(fc.constantFrom('', 'blurry'), 'x'.repeat(9_000)),
    width: side,
    height: side,
    steps: mostly(fc.integer({ min: 5, max: 60 }), 0, -1, 151, 1_001),
    guidanceScale: mostly(fc.constantFrom(0, 1, 4, 7.5, 99), 101, -1),
    scheduler: fc.constantFrom(...SCHEDULER_NAMES),
    sigmaSchedule: mostly(fc.constant('DEFAULT' as const), ...SIGMA_SCHEDULES),
    samplerOptions: fc.oneof(
      { weight: 2, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: samplerOptions },
    ),
    clipSkip: mostly(fc.constantFrom(1, 2), 3),
    imageCount: mostly(fc.constantFrom(1, 3, 8), 9),
    previewEverySteps: mostly(fc.constantFrom(0, 5), -1),
  },
  { requiredKeys: ['prompt'] },
);

describe('a quote says what a submit of the same input says', () => {
  it.each<[string, JobSubmitInput]>([
    ['nothing but a prompt', { prompt: 'an apple' }],
    ['a seed that is left to chance and several pictures', { ...QUICK, seed: null, imageCount: 3 }],
    ['two evaluations a step', { ...QUICK, scheduler: 'HEUN_DISCRETE', steps: 10 }],
    ['a step that is taken twice', { ...QUICK, scheduler: 'PNDM', steps: 10 }],
    ['a price that is rounded up', { ...QUICK, width: 160, height: 96 }],
    ['listed timesteps', { prompt: 'x', scheduler: 'DDPM', samplerOptions: { timesteps: [999, 500, 1] } }],
    ['a warning', { ...QUICK, negativePrompt: 'a leaf', guidanceScale: 1 }],
    ['a warning and an error', { ...QUICK, negativePrompt: 'a leaf', guidanceScale: 1, steps: 0 }],
    ['an option of another scheduler', { ...QUICK, scheduler: 'LMS_DISCRETE', samplerOptions: { eta: 1 } }],
    ['notes that cannot be', { ...QUICK, metadata: [{ key: '', value: 'x' }] }],
    ['more steps than the plan allows', { ...QUICK, steps: 200 }],
    ['a price beyond the balance', { ...QUICK, steps: 150, width: 1_024, height: 1_024, imageCount: 8 }],
    ['a variant that is not there', { ...QUICK, variantId: `var_${'0'.repeat(26)}` }],
  ])('of %s', async (_, input) => {
    const { job, userErrors } = await compare(await app.createTenant(), input);
    expect(job === null).toBe(userErrors.length > 0);
  });

  it('of whatever may be asked', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(inputs, async (input) => {
        if ((await compare(tenant, input)).job) accepted += 1;
      }),
      { numRuns: 80 },
    );
    expect(accepted).toBeGreaterThan(10);
  });

  it('when the queue is full', async () => {
    const full = await app.createTenant();
    await app.sql(
      `insert into plan (id, name, queued_jobs_max, megapixels_max, steps_max) values ('pln_one', 'one', 1, 4, 150)`,
    );
    await app.sql(`update tenant set plan_id = 'pln_one' where id = $1`, [full.id]);
    await full.client.submitJob(QUICK);
    const { userErrors } = await compare(full, QUICK);
    expect(userErrors).toMatchObject([{ code: 'QUOTA_EXCEEDED', field: [] }]);
    expect(await full.client.quoteJob(QUICK)).toMatchObject({ credits: 4, evaluationsPerPicture: 4 });
  });

  it('under a TEST key, where it costs nothing', async () => {
    const tester = await app.createTenant({ credits: 0, environment: 'TEST' });
    await compare(tester, QUICK);
    expect(await tester.client.quoteJob(QUICK)).toMatchObject({ credits: 0, evaluationsPerPicture: 4 });
  });
});

describe('a quote', () => {
  it('tells every finding with its severity, its field and what would do', async () => {
    const quote = await tenant.client.quoteJob({
      ...QUICK,
      steps: 20,
      negativePrompt: 'a leaf',
      guidanceScale: 1,
      scheduler: 'DDIM',
      samplerOptions: { eta: 2 },
    });
    expect(quote.findings).toEqual([
      expect.objectContaining({
        code: 'NEGATIVE_PROMPT_UNUSED',
        severity: 'WARNING',
        field: ['negativePrompt'],
      }),
      {
        code: 'OPTION_INVALID',
        severity: 'ERROR',
        field: ['samplerOptions', 'eta'],
        message: expect.stringContaining('eta'),
        fix: 'Use 1.',
      },
    ]);
    expect(quote).toMatchObject({ credits: null, evaluationsPerPicture: null, etaMs: null });
    expect(quote.userErrors).toMatchObject([
      { code: 'INVALID_INPUT', field: ['samplerOptions', 'eta'], finding: 'OPTION_INVALID' },
    ]);
  });

  it('writes nothing and takes no notice of an idempotency key', async () => {
    const asker = await app.createTenant();
    const { id } = await asker.client.submitJob({ ...QUICK, idempotencyKey: 'once' });
    const tables = ['job', 'event', 'reservation', 'idempotency_record', 'usage_entry'];
    const everything = () =>
      Promise.all(tables.map((table) => app.sql(`select t::text from ${table} t order by 1`)));
    const before = await everything();
    for (const idempotencyKey of ['once', 'never', '']) {
      const quote = await asker.client.quoteJob({ ...QUICK, steps: 7, idempotencyKey });
      expect(quote).toMatchObject({ credits: 7, userErrors: [] });
    }
    expect(await everything()).toEqual(before);
    expect(await asker.client.submitJob({ ...QUICK, idempotencyKey: 'once' })).toMatchObject({ id });
  });

  it('needs the permission to submit and no other', async () => {
    const quoteWith = async (permissions: readonly ('JOBS_READ' | 'JOBS_WRITE')[]) => {
      const { text } = await app.onboarding.issueKey(tenant.id, {
        name: 'narrow',
        environment: 'LIVE',
        permissions,
      });
      return createClient({ api: app.api, apiKey: text }).quoteJob(QUICK);
    };
    expect(await quoteWith(['JOBS_WRITE'])).toMatchObject({ credits: 4 });
    await expect(quoteWith(['JOBS_READ'])).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it("of another tenant's variant is that of one that is not there", async () => {
    const variantId = await givePrivateVariant(app, await app.createTenant());
    const quoteFor = (id: string) => tenant.client.quoteJob({ ...QUICK, variantId: id });
    const foreign = await quoteFor(variantId);
    expect(foreign).toEqual(await quoteFor(`var_${'0'.repeat(26)}`));
    expect(foreign.userErrors).toMatchObject([{ code: 'NOT_FOUND', field: ['variantId'] }]);
  });
});

describe('when it would be drawn', () => {
  it('is not told while nothing was measured and nothing serves the model', async () => {
    const quote = await tenant.client.quoteJob(QUICK);
    expect(quote).toMatchObject({ etaMs: null, userErrors: [] });
  });

  it('is what all tenants wait for and the job itself, at the pace that the dispatchers had', async () => {
    const dispatcher = { rowsInFlight: 0, unetCalls: 100, unetRows: 400, busyMs: 8_000, gapMs: 0, gaps: 0 };
    const figures = { upMs: 9_000, eventLoopDelayMs: null, dispatcher, api: null };
    await app.sql(
      `insert into process_figures (id, roles, host, figures, updated_at)
       values ('prc_test', '{dispatcher}', 'h', $1, now() + interval '1 hour')`,
      [JSON.stringify(figures)],
    );
    const unserved = await tenant.client.quoteJob(QUICK);
    expect(unserved).toMatchObject({ etaMs: null, userErrors: [] });
    await app.sql(
      `insert into node (id, address, name, state, holder, lease_until)
       values ('nod_test', 'grpc://127.0.0.1:1', 'test', 'READY', 'dsp_test', now() + interval '1 hour')`,
    );
    await app.sql(
      `insert into engine (id, node_id, model, version, fingerprint, instances, batch_max)
       select 'eng_test', 'nod_test', 'pico', number, 'f', 1, 8 from variant_version order by owner_id, id limit 1`,
    );
    const other = await app.createTenant();
    await other.client.submitJob({ ...QUICK, steps: 20, imageCount: 3 });

    const quote = await tenant.client.quoteJob({ ...QUICK, steps: 10, imageCount: 2 });

    const [row] = await app.sql<{ ahead: string }>('select evaluations_ahead() as ahead');
    const ahead = Number(row?.ahead);
    expect(ahead).toBeGreaterThanOrEqual(60);
    const exactMs = ((ahead + 20) / 50) * 1_000;
    expect(quote.etaMs).toBeGreaterThanOrEqual(exactMs);
    expect(quote.etaMs).toBeLessThan(exactMs * 1.1);
    expect(`${quote.etaMs}`).toMatch(/^\d\d?0*$/);

    // Four times the pixels, four times the work.
    const large = await tenant.client.quoteJob({
      ...QUICK,
      steps: 10,
      imageCount: 2,
      width: 256,
      height: 256,
    });
    const largeMs = ((ahead + 80) / 50) * 1_000;
    expect(large.etaMs).toBeGreaterThanOrEqual(largeMs);
    expect(large.etaMs).toBeLessThan(largeMs * 1.1);
  });
});

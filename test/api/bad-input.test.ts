import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobSubmitInput } from '../../src/client/index.ts';
import { DarkroomUserErrors } from '../../src/client/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { givePrivateVariant } from '../support/variants.ts';

let app: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  app = await startApp();
  tenant = await app.createTenant();
});

afterAll(() => app[Symbol.asyncDispose]());

const SUBMIT =
  'mutation ($input: JobSubmitInput!) { jobSubmit(input: $input) { job { id } userErrors { code field message finding } } }';

/** Nothing of a refused submit may be anywhere. */
async function expectNothingLeft(): Promise<void> {
  for (const table of ['job', 'event', 'reservation', 'idempotency_record']) {
    expect(await app.sql(`select 1 from ${table} where tenant_id = $1`, [tenant.id]), table).toEqual([]);
  }
  expect(await tenant.client.viewer()).toMatchObject({ balanceCredits: 1_000 });
}

describe('input that could be mended', () => {
  it.each<[string, Partial<JobSubmitInput>, { code?: string; field: string[]; finding?: string | null }]>([
    ['an empty prompt', { prompt: '' }, { field: ['prompt'], finding: 'PROMPT_EMPTY' }],
    ['a prompt of spaces', { prompt: ' \n\t ' }, { field: ['prompt'] }],
    [
      'a prompt that is too long',
      { prompt: 'word '.repeat(3_000) },
      { field: ['prompt'], finding: 'PROMPT_TOO_LONG' },
    ],
    [
      'ten thousand brackets',
      { prompt: `${'('.repeat(10_000)}a` },
      { field: ['prompt'], finding: 'PROMPT_TOO_LONG' },
    ],
    [
      'as many brackets as a prompt has room for',
      { prompt: `${'('.repeat(8_000)}a` },
      { field: ['prompt'], finding: 'PROMPT_WEIGHT_OUT_OF_RANGE' },
    ],
    [
      'a negative prompt that is too long',
      { negativePrompt: 'word '.repeat(3_000) },
      { field: ['negativePrompt'] },
    ],
    ['a width of 0', { width: 0 }, { field: ['width'] }],
    ['a width of 7', { width: 7 }, { field: ['width'], finding: 'SIZE_INVALID' }],
    ['a height of 513', { height: 513 }, { field: ['height'] }],
    ['a height of 65536', { height: 65_536 }, { field: ['height'] }],
    ['a negative width', { width: -128 }, { field: ['width'] }],
    ['a width of a billion', { width: 1_000_000_000 }, { field: ['width'], finding: 'SIZE_TOO_LARGE' }],
    ['0 steps', { steps: 0 }, { field: ['steps'], finding: 'STEPS_OUT_OF_RANGE' }],
    ['-1 steps', { steps: -1 }, { field: ['steps'] }],
    ['a billion steps', { steps: 1_000_000_000 }, { field: ['steps'] }],
    [
      'more steps than the plan allows',
      { steps: 200 },
      { code: 'QUOTA_EXCEEDED', field: ['steps'], finding: null },
    ],
    [
      'negative guidance',
      { guidanceScale: -1 },
      { field: ['guidanceScale'], finding: 'GUIDANCE_OUT_OF_RANGE' },
    ],
    ['guidance of 1e308', { guidanceScale: 1e308 }, { field: ['guidanceScale'] }],
    ['no picture', { imageCount: 0 }, { field: ['imageCount'], finding: 'IMAGE_COUNT_OUT_OF_RANGE' }],
    ['a thousand pictures', { imageCount: 1_000 }, { field: ['imageCount'] }],
    [
      'a schedule that its scheduler lacks',
      { scheduler: 'DDIM', sigmaSchedule: 'KARRAS' },
      { field: ['sigmaSchedule'], finding: 'SIGMA_SCHEDULE_UNSUPPORTED' },
    ],
    ['previews every -1 steps', { previewEverySteps: -1 }, { field: ['previewEverySteps'] }],
    ['an empty idempotency key', { idempotencyKey: '' }, { field: ['idempotencyKey'], finding: null }],
    ['an endless idempotency key', { idempotencyKey: 'k'.repeat(300) }, { field: ['idempotencyKey'] }],
    ['metadata without a key', { metadata: [{ key: '', value: 'x' }] }, { field: ['metadata', '0', 'key'] }],
    [
      'an endless metadata value',
      { metadata: [{ key: 'k', value: 'x'.repeat(600) }] },
      { field: ['metadata', '0', 'value'] },
    ],
    [
      'a metadata key given twice',
      {
        metadata: [
          { key: 'k', value: '1' },
          { key: 'k', value: '2' },
        ],
      },
      { field: ['metadata', '1', 'key'] },
    ],
    [
      'a variant that does not exist',
      { variantId: `var_${'0'.repeat(26)}` },
      { code: 'NOT_FOUND', field: ['variantId'] },
    ],
    [
      'a variant id that is none',
      { variantId: "'; drop table job; --" },
      { code: 'NOT_FOUND', field: ['variantId'] },
    ],
  ])('%s is a user error with a code and a field, and leaves nothing behind', async (_, input, expected) => {
    const { status, data, errors } = await app.request(tenant, SUBMIT, {
      input: { prompt: 'an apple', ...input },
    });
    expect({ status, errors }).toEqual({ status: 200, errors: [] });
    const payload = (
      data as unknown as {
        jobSubmit: { job: unknown; userErrors: { message: string }[] };
      }
    ).jobSubmit;
    expect(payload.job).toBeNull();
    expect(payload.userErrors).toMatchObject([{ code: 'INVALID_INPUT', ...expected }]);
    expect(payload.userErrors[0]?.message).toMatch(/^\S.{10,}\.$/);
    await expectNothingLeft();
  });

  it('tells everything that is wrong at once', async () => {
    const refused = tenant.client.submitJob({ prompt: '', steps: 0, width: 7, imageCount: 0 });
    const error = await refused.catch((each: unknown) => each);
    if (!(error instanceof DarkroomUserErrors)) throw new Error('not refused');
    expect(error.errors.map((each) => each.field[0]).toSorted()).toEqual([
      'imageCount',
      'prompt',
      'steps',
      'width',
    ]);
  });
});

describe('a refusal', () => {
  const refusalOf = async (asker: TestTenant, input: Partial<JobSubmitInput>) => {
    const { data } = await app.request(asker, SUBMIT, { input: { prompt: 'an apple', ...input } });
    return (data as unknown as { jobSubmit: { userErrors: object[] } }).jobSubmit;
  };

  it('of a size comes before the quota is looked at', async () => {
    const poor = await app.createTenant({ credits: 0 });
    const { userErrors } = await refusalOf(poor, { width: 1_000_000_000, height: 7 });
    expect(userErrors).toMatchObject([
      { code: 'INVALID_INPUT', field: ['width'], finding: 'SIZE_TOO_LARGE' },
      { code: 'INVALID_INPUT', field: ['height'], finding: 'SIZE_INVALID' },
    ]);
    expect((await refusalOf(poor, {})).userErrors).toMatchObject([{ code: 'QUOTA_EXCEEDED' }]);
  });

  it("of another tenant's variant is word for word that of one that is not there", async () => {
    const owner = await app.createTenant();
    const variantId = await givePrivateVariant(app, owner);
    const foreign = await refusalOf(tenant, { variantId });
    expect(foreign).toEqual(await refusalOf(tenant, { variantId: `var_${'0'.repeat(26)}` }));
    expect(foreign.userErrors).toMatchObject([{ code: 'NOT_FOUND', field: ['variantId'] }]);
    expect((await refusalOf(owner, { variantId })).userErrors).toEqual([]);
  });
});

describe('a prompt of more tokens than the model reads', () => {
  it('is accepted, kept whole, and told to be cut', async () => {
    const other = await app.createTenant();
    const prompt = 'apple '.repeat(700);
    expect(await other.client.submitJob({ prompt, steps: 1 })).toMatchObject({
      prompt,
      promptTokens: 700,
      promptIsTruncated: true,
    });
    expect(await other.client.submitJob({ prompt: 'apple '.repeat(78), steps: 1 })).toMatchObject({
      promptTokens: 78,
      promptIsTruncated: false,
    });
  });
});

describe('input that no type admits', () => {
  it.each<[string, object]>([
    ['2.5 steps', { steps: 2.5 }],
    ['a scheduler nobody has heard of', { scheduler: 'MAGIC' }],
    ['a seed of 2^64', { seed: '18446744073709551616' }],
    ['a seed of -1', { seed: '-1' }],
    ['a seed that a number cannot hold', { seed: Number.MAX_SAFE_INTEGER + 1 }],
    ['NUL in the prompt', { prompt: 'a\u0000b' }],
    ['a lone surrogate in the prompt', { prompt: 'a\ud800b' }],
    ['NUL in metadata', { metadata: [{ key: 'k', value: '\u0000' }] }],
    ['a field that does not exist', { colour: 'red' }],
    ['a missing prompt', { prompt: undefined }],
  ])('%s is BAD_USER_INPUT with HTTP 400, and leaves nothing behind', async (_, input) => {
    const { status, errors } = await app.request(tenant, SUBMIT, { input: { prompt: 'an apple', ...input } });
    expect(status).toBe(400);
    expect(errors[0]?.extensions['code']).toBe('BAD_USER_INPUT');
    await expectNothingLeft();
  });

  it('guidance of 1e999 is refused', async () => {
    const answer = await fetch(app.api, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${tenant.apiKey}` },
      body: `{"query":${JSON.stringify(SUBMIT)},"variables":{"input":{"prompt":"x","guidanceScale":1e999}}}`,
    });
    expect(answer.status).toBe(400);
    await expectNothingLeft();
  });

  it('a prompt of a megabyte is refused before it is read, as JSON', async () => {
    const { status, errors } = await app.request(tenant, SUBMIT, {
      input: { prompt: 'x'.repeat(1_000_000) },
    });
    expect(status).toBe(413);
    expect(errors).toHaveLength(1);
    await expectNothingLeft();
  });

  it.each(['first: 0', 'first: -1', 'first: 101', 'first: 1000000', 'after: "forged"'])(
    'jobs(%s) is BAD_USER_INPUT',
    async (argument) => {
      const { errors } = await app.request(tenant, `{ jobs(${argument}) { nodes { id } } }`);
      expect(errors[0]?.extensions['code']).toBe('BAD_USER_INPUT');
    },
  );

  it.each([-1, 1_000])('jobEvents(after: %i) of a queued job is BAD_USER_INPUT', async (after) => {
    const other = await app.createTenant();
    const { id } = await other.client.submitJob({ prompt: 'x' });
    const read = Array.fromAsync(other.client.followJob(id, { after }));
    await expect(read).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });
});

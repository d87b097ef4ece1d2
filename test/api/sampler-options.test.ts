import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobSubmitInput, SamplerOptionsInput } from '../../src/client/index.ts';
import type { RunningNode } from '../../src/node/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { eventsOf, QUICK, runJob } from '../support/jobs.ts';
import { startPicoNode } from '../support/node.ts';

let node: RunningNode;
let app: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  node = await startPicoNode();
  app = await startApp({ nodeAddress: node.address });
  tenant = await app.createTenant();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
});

const NONE = {
  timestepSpacing: null,
  timesteps: null,
  sigmas: null,
  eta: null,
  sChurn: null,
  sNoise: null,
  solverOrder: null,
  algorithm: null,
};

async function pixelsOf(input: Partial<JobSubmitInput>): Promise<string | undefined> {
  const { job } = await runJob(tenant, { ...QUICK, ...input });
  expect(job.state).toBe('SUCCEEDED');
  return job.images[0]?.pixelSha256;
}

describe('the options of a sampler', () => {
  it.each<[string, JobSubmitInput, SamplerOptionsInput]>([
    ['eta', { ...QUICK, scheduler: 'DDIM' }, { eta: 1 }],
    ['churn', { ...QUICK, scheduler: 'EULER_DISCRETE' }, { sChurn: 2 }],
    ['the strength of noise', { ...QUICK, scheduler: 'DPM_SOLVER_SDE' }, { sNoise: 0.9 }],
    ['the order', { ...QUICK, scheduler: 'DPM_SOLVER_MULTISTEP' }, { solverOrder: 1 }],
    ['the algorithm', { ...QUICK, scheduler: 'DPM_SOLVER_MULTISTEP' }, { algorithm: 'SDE_DPM_SOLVER_PP' }],
    ['the spacing', { ...QUICK, scheduler: 'EULER_DISCRETE' }, { timestepSpacing: 'TRAILING' }],
    ['timesteps', { ...QUICK, scheduler: 'DDPM' }, { timesteps: [999, 700, 300, 50] }],
    ['noise levels', { ...QUICK, scheduler: 'EULER_DISCRETE' }, { sigmas: [14.5, 5, 2, 0.5, 0] }],
  ])('decide the picture, and the job repeats them: %s', async (_, input, samplerOptions) => {
    const { job } = await runJob(tenant, { ...input, samplerOptions });
    expect(job).toMatchObject({ state: 'SUCCEEDED', samplerOptions: { ...NONE, ...samplerOptions } });
    expect(job.images[0]?.pixelSha256).not.toBe(await pixelsOf(input));
  });

  it('that are left out, null or what the scheduler has anyway draw the same picture', async () => {
    const input: JobSubmitInput = { ...QUICK, scheduler: 'DDIM' };
    const drawn = await pixelsOf(input);
    expect(await pixelsOf({ ...input, samplerOptions: { eta: null } })).toBe(drawn);
    expect(await pixelsOf({ ...input, samplerOptions: { eta: 0 } })).toBe(drawn);
  });

  it('say by a list how many steps there are, and what they cost', async () => {
    const listed = { prompt: 'x', scheduler: 'EULER_DISCRETE' } as const;
    const job = await tenant.client.submitJob({ ...listed, samplerOptions: { sigmas: [14.5, 2, 0.5, 0] } });
    expect(job).toMatchObject({ steps: 3, totalSteps: 3, credits: 3 });
  });

  it.each<[string, Partial<JobSubmitInput>, string, string]>([
    ['eta out of range', { scheduler: 'DDIM', samplerOptions: { eta: 1.5 } }, 'eta', 'OPTION_INVALID'],
    ['eta of 1e308', { scheduler: 'DDIM', samplerOptions: { eta: 1e308 } }, 'eta', 'OPTION_INVALID'],
    ['a fourth order', { samplerOptions: { solverOrder: 4 } }, 'solverOrder', 'OPTION_INVALID'],
    [
      'eta of Euler',
      { scheduler: 'EULER_DISCRETE', samplerOptions: { eta: 0 } },
      'eta',
      'OPTION_UNSUPPORTED',
    ],
    [
      'timesteps that rise',
      { scheduler: 'DDPM', steps: 2, samplerOptions: { timesteps: [1, 2] } },
      'timesteps',
      'OPTION_INVALID',
    ],
    [
      'an empty list',
      { scheduler: 'DDPM', steps: 2, samplerOptions: { timesteps: [] } },
      'timesteps',
      'OPTION_INVALID',
    ],
    [
      'more noise levels than there are timesteps',
      {
        scheduler: 'EULER_DISCRETE',
        samplerOptions: { sigmas: Array.from({ length: 2_000 }, (_, i) => 2_000 - i) },
      },
      'sigmas',
      'OPTION_INVALID',
    ],
  ])('are refused at their path: %s', async (_, input, option, finding) => {
    const refused = tenant.client.submitJob({ ...QUICK, steps: null, ...input, prompt: 'x' });
    const errors = await refused.then(
      () => [],
      ({ errors: all }: { errors: readonly { field: readonly string[] }[] }) => all,
    );
    expect(errors.filter(({ field }) => field[0] === 'samplerOptions')).toMatchObject([
      { code: 'INVALID_INPUT', field: ['samplerOptions', option], finding },
    ]);
  });

  it.each(['{"eta":1e999}', '{"sigmas":[1e999,0]}', '{"algorithm":"dpmsolver++"}', '{"solverOrder":1.5}'])(
    'that no type admits are BAD_USER_INPUT: %s',
    async (samplerOptions) => {
      const query =
        'mutation ($input: JobSubmitInput!) { jobSubmit(input: $input) { userErrors { message } } }';
      const response = await fetch(app.api, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${tenant.apiKey}` },
        body: `{"query":${JSON.stringify(query)},"variables":{"input":{"prompt":"x","samplerOptions":${samplerOptions}}}}`,
      });
      const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
      expect(response.status).toBe(400);
      expect(errors.map(({ extensions }) => extensions.code)).toContain('BAD_USER_INPUT');
    },
  );

  it('are part of what an idempotency key stands for, however they are written', async () => {
    const keyed = { ...QUICK, scheduler: 'DPM_SOLVER_MULTISTEP', idempotencyKey: 'options' } as const;
    const { id } = await tenant.client.submitJob(keyed);
    for (const samplerOptions of [null, {}, { solverOrder: 2 }, { algorithm: 'DPM_SOLVER_PP' }] as const) {
      expect(await tenant.client.submitJob({ ...keyed, samplerOptions })).toMatchObject({ id });
    }
    await expect(
      tenant.client.submitJob({ ...keyed, samplerOptions: { solverOrder: 3 } }),
    ).rejects.toMatchObject({ errors: [{ code: 'CONFLICT', field: ['idempotencyKey'] }] });
  });
});

describe('a job that waits', () => {
  it('is drawn by the version that it was submitted for, whatever became of that', async () => {
    const drawn = await pixelsOf({});
    const { id } = await tenant.client.submitJob({ ...QUICK, steps: 150 });
    const waiting = await tenant.client.submitJob(QUICK);
    await app.sql(`update variant_version set state = 'RETIRED'`);
    await expect(tenant.client.submitJob(QUICK)).rejects.toMatchObject({ errors: [{ code: 'NOT_FOUND' }] });
    await tenant.client.cancelJob(id);
    await eventsOf(tenant, waiting.id);
    const job = await tenant.client.job(waiting.id);
    await app.sql(`update variant_version set state = 'LIVE'`);
    expect(job).toMatchObject({ state: 'SUCCEEDED', credits: 4 });
    expect(job?.images[0]?.pixelSha256).toBe(drawn);
  });
});

describe('what was found in the settings of a job', () => {
  it('stays with it, and keeps it from nothing', async () => {
    const { job } = await runJob(tenant, { ...QUICK, guidanceScale: 1, negativePrompt: 'a leaf' });
    expect(job.state).toBe('SUCCEEDED');
    expect(job.findings).toContainEqual({
      code: 'NEGATIVE_PROMPT_UNUSED',
      severity: 'WARNING',
      field: ['negativePrompt'],
      message: expect.stringMatching(/\S/),
      fix: expect.stringMatching(/\S/),
    });
    expect(job.findings?.every(({ severity }) => severity === 'WARNING')).toBe(true);
  });

  it('is nothing for a job that is as its model likes it', async () => {
    expect(await tenant.client.submitJob({ prompt: 'a red apple' })).toMatchObject({ findings: [] });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { openDoors, post } from '../support/doors.ts';
import { QUICK } from '../support/jobs.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(() => app[Symbol.asyncDispose]());

it('a job tells how long its prompts are, and whether their ends were cut', async () => {
  const tenant = await app.createTenant();
  const words = (count: number) => Array.from({ length: count }, () => 'apple').join(' ');
  const job = await tenant.client.submitJob({ ...QUICK, prompt: words(75), negativePrompt: words(76) });
  expect(job).toMatchObject({
    promptTokens: 75,
    promptIsTruncated: false,
    negativePromptTokens: 76,
    negativePromptIsTruncated: true,
  });
});

it('a viewer is told its plan', async () => {
  const tenant = await app.createTenant();
  expect((await tenant.client.viewer()).plan).toEqual({
    name: 'standard',
    queuedJobsMax: 1_000,
    megapixelsMax: 4,
    stepsMax: 150,
  });
});

describe('a job whose record is damaged', () => {
  it('is told without its settings, and breaks no page; the log says it once', async () => {
    const damaged = new Error('recipe of a damaged row');
    await using own = await openDoors({
      wrap: (services) => ({
        ...services,
        generation: {
          ...services.generation,
          async list(actor, request) {
            const page = await services.generation.list(actor, request);
            const readSettings = () => {
              throw damaged;
            };
            return { ...page, nodes: page.nodes.map((job, i) => (i === 0 ? { ...job, readSettings } : job)) };
          },
        },
      }),
    });
    const authorization = own.memory.addTenant();
    const jobs = [own.memory.addJob(authorization), own.memory.addJob(authorization)];
    const { data, errors } = await post(own.api.httpUrl, authorization, {
      query:
        '{ jobs { nodes { id state steps seed promptTokens promptIsTruncated credits images { id } } } }',
    });
    const told = { state: 'QUEUED', credits: 25, images: [{ id: expect.stringMatching(/^img_/) }] };
    expect(data).toEqual({
      jobs: {
        nodes: [
          { ...told, id: jobs[0]?.id, steps: null, seed: null, promptTokens: null, promptIsTruncated: null },
          { ...told, id: jobs[1]?.id, steps: 25, seed: '7', promptTokens: 3, promptIsTruncated: false },
        ],
      },
    });
    expect(errors.map(({ path, extensions: { code } }) => [path?.at(-1), code])).toEqual(
      ['steps', 'seed', 'promptTokens', 'promptIsTruncated'].map((field) => [field, 'INTERNAL']),
    );
    expect(
      own
        .log()
        .split('\n')
        .filter((line) => line.includes('damaged row')),
    ).toHaveLength(1);
  });

  it('can be found, listed and cancelled', async () => {
    const tenant = await app.createTenant();
    const ids = [await tenant.client.submitJob(QUICK), await tenant.client.submitJob(QUICK)].map(
      ({ id }) => id,
    );
    await app.sql(`update job set recipe = '{}' where id = $1`, [ids[0]]);
    const { data, errors } = await app.request(tenant, '{ jobs { nodes { id steps } } }');
    expect(data).toEqual({
      jobs: {
        nodes: [
          { id: ids[1], steps: 4 },
          { id: ids[0], steps: null },
        ],
      },
    });
    expect(errors.map(({ extensions }) => extensions['code'])).toEqual(['INTERNAL']);
    const cancelled = await app.request(
      tenant,
      'mutation ($id: ID!) { jobCancel(input: { jobId: $id }) { job { id state } userErrors { code } } }',
      { id: ids[0] },
    );
    expect(cancelled).toMatchObject({
      errors: [],
      data: { jobCancel: { job: { id: ids[0], state: 'CANCELLED' }, userErrors: [] } },
    });
  });

  it.each(['{"colour":"red"}', 'null', '[{"key":"colour","value":7}]'])(
    'is told without its metadata when these are %s, and breaks no page',
    async (damaged) => {
      const tenant = await app.createTenant();
      const metadata = [{ key: 'colour', value: 'red' }];
      const sound = await tenant.client.submitJob({ ...QUICK, metadata });
      const { id } = await tenant.client.submitJob({ ...QUICK, metadata });
      await app.sql('update job set metadata = $2::jsonb where id = $1', [id, damaged]);
      const { data, errors } = await app.request(
        tenant,
        '{ jobs { nodes { id steps metadata { key value } } } }',
      );
      expect(data).toEqual({
        jobs: {
          nodes: [
            { id, steps: 4, metadata: null },
            { id: sound.id, steps: 4, metadata },
          ],
        },
      });
      expect(errors.map(({ extensions }) => extensions['code'])).toEqual(['INTERNAL']);
    },
  );
});

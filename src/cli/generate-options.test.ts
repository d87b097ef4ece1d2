import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestHost } from '../../test/support/host.ts';
import { createTestHost } from '../../test/support/host.ts';
import type { TinyApi } from '../../test/support/tiny-api.ts';
import { startTinyApi, TINY_KEY } from '../../test/support/tiny-api.ts';
import { TINY_SCHEDULERS } from '../../test/support/tiny-schedulers.ts';
import { generateCommand } from './generate.ts';
import { schedulersCommand } from './schedulers.ts';

let cwd = '';
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'darkroom-generate-'));
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

const hostFor = (api: TinyApi) =>
  createTestHost({ cwd, environment: { DARKROOM_API: api.api, DARKROOM_API_KEY: TINY_KEY } });

const run = (host: TestHost, ...args: string[]) =>
  generateCommand(host).exitOverride().parseAsync(args, { from: 'user' });

/** The job ends as soon as it is submitted. */
function liveThrough(api: TinyApi): void {
  api.onSubmit = () => api.emit('COMPLETED', 20);
}

const WARNING = {
  code: 'NEGATIVE_PROMPT_UNUSED',
  severity: 'WARNING',
  field: ['negativePrompt'],
  message: 'It is not read.',
  fix: 'Leave it out.',
} as const;

const QUOTE = {
  evaluationsPerPicture: 25,
  credits: 50,
  etaMs: 12_345,
  findings: [],
  userErrors: [],
};

describe('darkroom generate', () => {
  it("passes the sampler's options on, those that were given and no other", async () => {
    await using api = await startTinyApi();
    liveThrough(api);
    const choices = [
      '--algorithm',
      'sde-dpm-solver-pp',
      '--timestep-spacing',
      'Trailing',
      '--clip-skip',
      '2',
    ];
    await run(hostFor(api), 'x', '--eta', '0.5', '--s-churn', '10', '--s-noise', '1.1', ...choices);
    await run(
      hostFor(api),
      'x',
      '--solver-order',
      '3',
      '--timesteps',
      '999, 600,1',
      '--sigmas',
      '14.6,0.3,0',
    );
    const [first, second] = api.submitted;
    expect({ ...first?.samplerOptions }).toEqual({
      eta: 0.5,
      sChurn: 10,
      sNoise: 1.1,
      algorithm: 'SDE_DPM_SOLVER_PP',
      timestepSpacing: 'TRAILING',
    });
    expect(first?.clipSkip).toBe(2);
    expect({ ...second?.samplerOptions }).toEqual({
      solverOrder: 3,
      timesteps: [999, 600, 1],
      sigmas: [14.6, 0.3, 0],
    });
  });

  it('takes noise levels as other programs print them', async () => {
    await using api = await startTinyApi();
    liveThrough(api);
    await run(hostFor(api), 'x', '--sigmas', '14.614646911621094,0.029167532920837402,1e-05,0');
    expect(api.submitted[0]?.samplerOptions?.sigmas).toEqual([
      14.614646911621094, 0.029167532920837402, 1e-5, 0,
    ]);
  });

  it.each([
    ['EULER_DISCRETE', { scheduler: 'EULER_DISCRETE' }],
    ['EulerAncestralDiscreteScheduler', { scheduler: 'EULER_ANCESTRAL_DISCRETE' }],
    ['eulerancestraldiscrete', { scheduler: 'EULER_ANCESTRAL_DISCRETE' }],
    ['Euler a', { scheduler: 'EULER_ANCESTRAL_DISCRETE', sigmaSchedule: 'DEFAULT' }],
    ['dpm++ 2m karras', { scheduler: 'DPM_SOLVER_MULTISTEP', sigmaSchedule: 'KARRAS' }],
    [
      'DPM++ 2M SDE Karras',
      {
        scheduler: 'DPM_SOLVER_MULTISTEP',
        sigmaSchedule: 'KARRAS',
        samplerOptions: { algorithm: 'SDE_DPM_SOLVER_PP' },
      },
    ],
  ])('takes --scheduler %j as its own API, diffusers or AUTOMATIC1111 has it', async (name, meant) => {
    await using api = await startTinyApi();
    liveThrough(api);
    await run(hostFor(api), 'x', '--scheduler', name);
    expect(JSON.parse(JSON.stringify(api.submitted[0]))).toEqual({
      prompt: 'x',
      previewEverySteps: 0,
      ...meant,
    });
  });

  it('puts what was said above what goes with the name of a sampler', async () => {
    await using api = await startTinyApi();
    liveThrough(api);
    const more = ['--sigma-schedule', 'beta', '--algorithm', 'dpm-solver-pp', '--eta', '1'];
    await run(hostFor(api), 'x', '--scheduler', 'DPM++ 2M SDE Karras', ...more);
    expect(api.submitted[0]).toMatchObject({
      sigmaSchedule: 'BETA',
      samplerOptions: { algorithm: 'DPM_SOLVER_PP', eta: 1 },
    });
  });

  it('names the nearest schedulers for one that there is not, and submits nothing', async () => {
    await using api = await startTinyApi();
    const host = hostFor(api);
    await run(host, 'x', '--scheduler', 'DPM++ 2N Karras');
    expect(host.err()).toMatch(
      /^No scheduler is called "DPM\+\+ 2N Karras"\. Near it are DPM\+\+ 2M Karras, .*darkroom schedulers.*\n$/,
    );
    expect(host.exitCode).toBe(1);
    expect(api.submitted).toEqual([]);
  });

  it('tells each warning about the settings in a line on stderr', async () => {
    await using api = await startTinyApi();
    liveThrough(api);
    api.findings = [WARNING];
    const host = hostFor(api);
    await run(host, 'x', '--json');
    expect(host.err()).toBe('warning: negativePrompt: It is not read. Leave it out.\n');
    expect(host.out()).toMatch(/^\{[^\n]+\n$/);
    expect(host.exitCode).toBe(0);
  });
});

describe('darkroom generate --quote', () => {
  it('says what it would cost and when it would be drawn, and draws nothing', async () => {
    await using api = await startTinyApi();
    api.quote = { ...QUOTE, findings: [WARNING] };
    const host = hostFor(api);
    await run(host, 'x', '--quote', '--steps', '25', '--out', 'missing/x.png');
    expect(host.out()).toBe('25 evaluations a picture, 50 credits, in about 12.3 s\n');
    expect(host.err()).toBe('warning: negativePrompt: It is not read. Leave it out.\n');
    expect(host.exitCode).toBe(0);
    expect(api.quoted).toMatchObject([{ prompt: 'x', steps: 25 }]);
    expect(api.submitted).toEqual([]);
  });

  it('says so when nothing tells how long it takes', async () => {
    await using api = await startTinyApi();
    api.quote = { ...QUOTE, evaluationsPerPicture: 1, credits: 1, etaMs: null };
    const host = hostFor(api);
    await run(host, 'x', '--quote');
    expect(host.out()).toBe('1 evaluation a picture, 1 credit; when, nothing tells yet\n');
  });

  it('prints all of it as one line of JSON, and what is refused as a submit does', async () => {
    await using api = await startTinyApi();
    const refusal = {
      code: 'INVALID_INPUT',
      field: ['steps'],
      message: 'At least 1.',
      finding: 'STEPS_OUT_OF_RANGE',
    } as const;
    api.quote = { ...QUOTE, credits: null, userErrors: [refusal] };
    const host = hostFor(api);
    await run(host, 'x', '--quote', '--json');
    expect(JSON.parse(host.out())).toEqual(api.quote);
    expect(host.err()).toBe('steps: At least 1.\n');
    expect(host.exitCode).toBe(2);
  });
});

describe('darkroom schedulers', () => {
  const list = async (...args: string[]) => {
    await using api = await startTinyApi();
    const host = hostFor(api);
    await schedulersCommand(host).parseAsync(args, { from: 'user' });
    return host.out();
  };

  it('lists them for a person, with the names that other programs have for them', async () => {
    const lines = (await list()).trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^SCHEDULER +A1111 +STEPS/);
    expect(lines[1]).toMatch(
      /^euler-ancestral-discrete +Euler a +10-50 +20 +fresh +default,karras +s-churn,timesteps +Tests\.$/,
    );
    expect(lines[3]).toMatch(/^dpm-solver-multistep +DPM\+\+ 2M +10-50 +20 +- /);
  });

  it('prints all that the API tells as one line of JSON', async () => {
    const text = await list('--json');
    expect(text).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(text)).toMatchObject(TINY_SCHEDULERS);
  });
});

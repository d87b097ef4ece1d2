import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateCommand } from '../../src/cli/generate.ts';
import { schedulersCommand } from '../../src/cli/schedulers.ts';
import { SCHEDULER_NAMES } from '../../src/diffusion/index.ts';
import type { RunningNode } from '../../src/node/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import type { TestHost } from '../support/host.ts';
import { createTestHost } from '../support/host.ts';
import { startPicoNode } from '../support/node.ts';
import { decodePixels } from '../support/pixels.ts';

let node: RunningNode;
let app: TestApp;
let tenant: TestTenant;
let cwd = '';

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'darkroom-schedulers-'));
  node = await startPicoNode();
  app = await startApp({ nodeAddress: node.address });
  tenant = await app.createTenant();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
  await rm(cwd, { recursive: true, force: true });
});

const DISTILLED = ['LCM', 'TCD'] as const;
const SUIT_PICO = SCHEDULER_NAMES.filter((name) => !DISTILLED.some((each) => each === name));

const hostHere = () =>
  createTestHost({ cwd, environment: { DARKROOM_API: app.api, DARKROOM_API_KEY: tenant.apiKey } });

async function generate(...args: readonly string[]): Promise<TestHost> {
  const host = hostHere();
  await generateCommand(host).parseAsync(['a red apple, blue background', '--seed', '7', ...args], {
    from: 'user',
  });
  return host;
}

/** Whether the picture is red in its middle and blue at its corner. */
async function isAppleOnBlue(path: string): Promise<boolean> {
  const { data } = await decodePixels(await readFile(path));
  const pixel = (x: number, y: number) => [...data.subarray((y * 128 + x) * 3, (y * 128 + x) * 3 + 3)];
  const [red = 0, , blueOfRed = 0] = pixel(64, 80);
  const [redOfBlue = 0, , blue = 0] = pixel(4, 4);
  return red > blueOfRed + 60 && blue > redOfBlue + 60;
}

describe('darkroom generate --scheduler', () => {
  it.each(SUIT_PICO)('draws what was asked for with %s', async (name) => {
    const flag = name.toLowerCase().replaceAll('_', '-');
    // What takes fresh noise in every step and no second look wants more steps than the others.
    const steps = name === 'DDPM' ? '50' : '25';
    const host = await generate('--scheduler', flag, '--steps', steps, '--out', `${flag}.png`);
    expect({
      err: host
        .err()
        .split('\n')
        .filter((line) => !/^\w+: \d/.test(line)),
      code: host.exitCode,
    }).toEqual({
      err: [''],
      code: 0,
    });
    expect(await isAppleOnBlue(join(cwd, `${flag}.png`))).toBe(true);
  });

  it.each([
    ['DPM++ 2M Karras', { scheduler: 'DPM_SOLVER_MULTISTEP', sigmaSchedule: 'KARRAS' }],
    ['EulerAncestralDiscreteScheduler', { scheduler: 'EULER_ANCESTRAL_DISCRETE', sigmaSchedule: 'DEFAULT' }],
    [
      'dpm++ 2m sde exponential',
      {
        scheduler: 'DPM_SOLVER_MULTISTEP',
        sigmaSchedule: 'EXPONENTIAL',
        samplerOptions: { algorithm: 'SDE_DPM_SOLVER_PP' },
      },
    ],
  ])('takes the names of other programs: %s', async (name, settled) => {
    const host = await generate('--scheduler', name, '--json');
    const { jobId } = JSON.parse(host.out()) as { jobId: string };
    expect(await tenant.client.job(jobId)).toMatchObject({ state: 'SUCCEEDED', ...settled });
  });

  it.each(DISTILLED)(
    'refuses %s on a model that was not distilled, says why, and draws nothing',
    async (name) => {
      const before = await readdir(cwd);
      const host = await generate('--scheduler', name, '--steps', '4', '--guidance', '1');
      expect(host.err()).toMatch(/^scheduler: .*distilled/);
      expect(host.exitCode).toBe(2);
      expect(await readdir(cwd)).toEqual(before);
    },
  );
});

describe('schedulers', () => {
  it('are seventeen, each with what it reads, suits, costs and is called elsewhere', async () => {
    const schedulers = await tenant.client.schedulers();
    expect(schedulers.map(({ name }) => name)).toEqual(SCHEDULER_NAMES);
    const of = (wanted: string) => schedulers.find(({ name }) => name === wanted);
    expect(of('HEUN_DISCRETE')).toMatchObject({
      diffusersClass: 'HeunDiscreteScheduler',
      evaluations: 39,
      isStochastic: false,
      needsDistilled: false,
    });
    expect(of('DPM_SOLVER_MULTISTEP')?.options).toContainEqual({
      name: 'algorithm',
      isList: false,
      values: ['DPM_SOLVER_PP', 'SDE_DPM_SOLVER_PP'],
      min: null,
      max: null,
      default: 'DPM_SOLVER_PP',
    });
    expect(of('DPM_SOLVER_MULTISTEP')?.aliases).toContainEqual({
      name: 'DPM++ 2M SDE Karras',
      sigmaSchedule: 'KARRAS',
      samplerOptions: expect.objectContaining({ algorithm: 'SDE_DPM_SOLVER_PP', eta: null }),
    });
    expect(of('EULER_ANCESTRAL_DISCRETE')?.isStochastic).toBe(true);
    expect(schedulers.filter(({ needsDistilled }) => needsDistilled).map(({ name }) => name)).toEqual(
      DISTILLED,
    );
    expect(schedulers.every(({ suits }) => suits.length > 10)).toBe(true);
  });

  it('tell the evaluations that a job of so many steps is charged, and refuse steps that none has', async () => {
    const ask = (steps: number) =>
      app.request(tenant, 'query ($steps: Int!) { schedulers { name evaluations(steps: $steps) } }', {
        steps,
      });
    const { data } = await ask(7);
    const counts = (data as unknown as { schedulers: { name: string; evaluations: number }[] }).schedulers;
    for (const { name, evaluations } of counts.filter(({ name: each }) => each !== 'LCM' && each !== 'TCD')) {
      const quote = await tenant.client.quoteJob({
        prompt: 'x',
        steps: 7,
        scheduler: SCHEDULER_NAMES.find((each) => each === name),
      });
      expect([name, quote.evaluationsPerPicture]).toEqual([name, evaluations]);
    }
    for (const steps of [0, -1, 1_001]) {
      expect((await ask(steps)).errors[0]?.extensions['code']).toBe('BAD_USER_INPUT');
    }
  });

  it('are told of each model with the reason where it cannot use one, which is that of a quote', async () => {
    const { data } = await app.request(
      tenant,
      '{ variants { id liveVersion { schedulers { isUsable scheduler { name } findings { code message } } } } }',
    );
    interface Fit {
      readonly isUsable: boolean;
      readonly scheduler: { readonly name: string };
      readonly findings: readonly { readonly code: string; readonly message: string }[];
    }
    const [variant] = (data as unknown as { variants: { id: string; liveVersion: { schedulers: Fit[] } }[] })
      .variants;
    const fits = variant?.liveVersion.schedulers ?? [];
    const unusable = fits.filter(({ isUsable }) => !isUsable);
    expect(fits).toHaveLength(17);
    expect(unusable.map(({ scheduler }) => scheduler.name)).toEqual(DISTILLED);
    for (const [index, scheduler] of DISTILLED.entries()) {
      const quote = await tenant.client.quoteJob({ prompt: 'x', scheduler, steps: 4, guidanceScale: 1 });
      const told = quote.findings.filter(({ field }) => field[0] === 'scheduler');
      expect(told.map(({ code, message }) => ({ code, message }))).toEqual(unusable[index]?.findings);
    }
  });

  it('are shown as a table by darkroom schedulers', async () => {
    const host = hostHere();
    await schedulersCommand(host).parseAsync([], { from: 'user' });
    expect(host.out().trimEnd().split('\n')).toHaveLength(18);
    expect(host.out()).toMatch(/^dpm-solver-multistep +DPM\+\+ 2M, DPM\+\+ 2M SDE /m);
  });
});

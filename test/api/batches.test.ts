import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JobSubmitInput } from '../../src/client/index.ts';
import type { ModelInferRequest } from '../../src/platform/kserve/index.ts';
import { connectKserve, decodeTensor } from '../../src/platform/kserve/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import type { FaultyNode } from '../support/faulty-node.ts';
import { startFaultyNode } from '../support/faulty-node.ts';
import { eventsOf, QUICK, waitForEvent } from '../support/jobs.ts';
import { startPicoNode } from '../support/node.ts';
import { decodePixels } from '../support/pixels.ts';

let stack: AsyncDisposableStack;
let node: FaultyNode;
let app: TestApp;
let tenant: TestTenant;
let calls: Call[] = [];

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const real = stack.use(await startPicoNode());
  const behind = stack.use(connectKserve({ address: real.address, callTimeoutMs: 20_000 }));
  node = stack.use(await startFaultyNode({ behind }));
  app = stack.use(await startApp({ nodeAddress: node.address }));
  tenant = await app.createTenant({ credits: 100_000 });
});

afterAll(() => stack.disposeAsync());

beforeEach(() => {
  calls = [];
  node.reply = (request) => {
    calls.push(toCall(request));
    return 'ok';
  };
});

/** One ModelInfer as the node saw it. */
interface Call {
  readonly model: string;
  readonly rows: number;
  /** Of each row: what tells the jobs of a test apart. */
  readonly guidance: readonly number[];
}

function toCall({ model_name: model, inputs, raw_input_contents: contents = [] }: ModelInferRequest): Call {
  const at = inputs.findIndex(({ name }) => name === 'guidance');
  const bytes = contents[at];
  const shape = inputs[at]?.shape ?? [];
  const guidance = bytes ? [...(decodeTensor('FP32', shape, bytes) ?? [])].map(Number) : [];
  return { model, rows: inputs[0]?.shape[0] ?? 0, guidance };
}

const callsOf = (part: string) => calls.filter(({ model }) => model === `pico.${part}`);
const rowsOf = (some: readonly Call[]) => some.reduce((sum, { rows }) => sum + rows, 0);

async function draw(inputs: readonly JobSubmitInput[]) {
  const jobs = await Promise.all(inputs.map((input) => tenant.client.submitJob(input)));
  return Promise.all(
    jobs.map(async ({ id }) => {
      await eventsOf(tenant, id);
      const job = await tenant.client.job(id);
      if (job?.state !== 'SUCCEEDED') throw new Error(`Job ${id} is ${job?.state}: ${job?.error?.message}`);
      const files = await Promise.all(job.images.map((image) => tenant.client.download(image)));
      return Promise.all(files.map(async (file) => (await decodePixels(file)).data));
    }),
  );
}

const MIXED: readonly JobSubmitInput[] = [
  { prompt: 'a red apple, blue background', seed: '1', steps: 12 },
  { prompt: 'a yellow house', seed: '2', steps: 7, scheduler: 'DPM_SOLVER_MULTISTEP' },
  { prompt: 'a green frog, white background', seed: '3', steps: 9, guidanceScale: 1 },
  { prompt: 'a dog', seed: '4', steps: 10, imageCount: 3 },
  { prompt: 'a blue car', seed: '5', steps: 5, guidanceScale: 7.5 },
  { prompt: 'a cat', negativePrompt: 'red', seed: '6', steps: 11, sigmaSchedule: 'KARRAS' },
  { prompt: 'a rocket, black background', seed: '7', steps: 6, imageCount: 2, guidanceScale: 2.5 },
  { prompt: 'a pear', seed: '8', steps: 8, scheduler: 'DPM_SOLVER_MULTISTEP', sigmaSchedule: 'KARRAS' },
  { prompt: 'a flower', seed: '9', steps: 12, scheduler: 'EULER_ANCESTRAL_DISCRETE', imageCount: 2 },
  { prompt: 'a hat', seed: '10', steps: 4, scheduler: 'DDIM' },
];

describe('ten jobs at once, with mixed steps, schedulers, counts and guidance', () => {
  it('share calls, and each draws the pictures that it draws alone', async () => {
    const alone = [];
    for (const input of MIXED) alone.push(...(await draw([input])));
    calls = [];

    const together = await draw(MIXED);

    let worst = 0;
    for (const [job, pictures] of together.entries()) {
      expect(pictures).toHaveLength(MIXED[job]?.imageCount ?? 1);
      for (const [index, pixels] of pictures.entries()) {
        const other = alone[job]?.[index];
        worst = Math.max(worst, ...pixels.map((value, at) => Math.abs(value - (other?.[at] ?? Infinity))));
      }
    }
    expect(worst).toBeLessThanOrEqual(1);
    const guided = callsOf('unet_cfg');
    expect(rowsOf(guided) / guided.length).toBeGreaterThan(1.5);
    expect(guided.some((call) => new Set(call.guidance).size > 1)).toBe(true);
    // Each row of each step is evaluated once, whatever calls it goes with.
    const rows = MIXED.filter(({ guidanceScale }) => guidanceScale !== 1).map(
      ({ steps = 0, imageCount = 1 }) => (steps ?? 0) * (imageCount ?? 1),
    );
    expect(rowsOf(guided)).toBe(rows.reduce((sum, count) => sum + count, 0));
    expect(Math.max(...calls.map((call) => call.rows))).toBeLessThanOrEqual(8);
    expect(callsOf('text_encoder').length).toBeLessThan(MIXED.length);
  });
});

describe('a job that the engine refuses', () => {
  it('fails alone, whoever shares its calls', async () => {
    const poison = 6.5;
    node.reply = (request) => {
      const call = toCall(request);
      calls.push(call);
      return call.guidance.includes(poison) ? { code: status.INTERNAL, details: 'the model raised' } : 'ok';
    };
    const good = Array.from({ length: 4 }, (_, index) => ({ ...QUICK, seed: `${index}`, steps: 8 }));

    const bad = await tenant.client.submitJob({ ...QUICK, guidanceScale: poison });
    const pictures = await draw(good);
    await eventsOf(tenant, bad.id);

    expect(pictures).toHaveLength(4);
    expect(await tenant.client.job(bad.id)).toMatchObject({
      state: 'FAILED',
      error: { code: 'ENGINE_FAILED' },
      credits: 0,
    });
    const attempts = await app.sql(`select 1 from job where state = 'SUCCEEDED' and attempts > 0`);
    expect(attempts).toEqual([]);
  });
});

describe('an engine that is full', () => {
  it('puts its jobs back without an attempt, and they run when it has room', async () => {
    let refusals = 0;
    node.reply = ({ model_name: model }) => {
      if (model !== 'pico.unet_cfg' || refusals >= 4) return 'ok';
      refusals += 1;
      return { code: status.UNAVAILABLE, details: "Exceeds maximum queue size for model 'pico.unet_cfg'" };
    };

    const { id } = await tenant.client.submitJob(QUICK);
    const events = await eventsOf(tenant, id);

    expect(events.map(({ type }) => type)).toContain('REQUEUED');
    expect(await app.sql('select state, attempts, recoveries from job where id = $1', [id])).toEqual([
      { state: 'SUCCEEDED', attempts: 0, recoveries: 0 },
    ]);
  });
});

/** Resolves when a job has told so many events, or has ended. */
async function untilSeen(id: string, count: number): Promise<void> {
  let seen = 0;
  for await (const _ of tenant.client.followJob(id)) {
    seen += 1;
    if (seen === count) return;
  }
}

/** Cancels a short job when its client has seen so many events, and returns how it ended. */
async function race(index: number): Promise<string> {
  const moment = index % 6;
  // However quick the machine is, the first moment is before the job's end, as the last one is that end.
  const steps = moment === 0 ? 100 : 2;
  const { id } = await tenant.client.submitJob({ ...QUICK, steps, seed: `${index}` });
  const following = eventsOf(tenant, id);
  await untilSeen(id, 1 + moment);
  await tenant.client.cancelJob(id);
  const terminal = (await following).filter(({ type }) => END[type] !== undefined);
  expect(terminal).toHaveLength(1);
  const state = END[terminal[0]?.type ?? ''] ?? '';
  const job = await tenant.client.job(id);
  expect(job).toMatchObject({ state, images: { length: state === 'SUCCEEDED' ? 1 : 0 } });
  const [ledger] = await app.sql<{ used: number; rows: number }>(
    `select count(*)::int as rows, -coalesce(sum(credits), 0)::int as used from usage_entry where job_id = $1`,
    [id],
  );
  expect(ledger?.used).toBe(job?.credits);
  expect(ledger?.rows).toBeLessThanOrEqual(1);
  return state;
}

const END: Readonly<Record<string, string>> = {
  COMPLETED: 'SUCCEEDED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
};

describe('a cancel', () => {
  it('takes effect within one step, says at which, and charges what ran', async () => {
    const marker = 5.25;
    const { id } = await tenant.client.submitJob({ ...QUICK, steps: 100, guidanceScale: marker });
    const neighbour = draw([{ ...QUICK, steps: 40 }]);
    await waitForEvent(tenant, id, 'STEP');
    const callsWithIt = () => calls.filter(({ guidance }) => guidance.includes(marker)).length;

    await tenant.client.cancelJob(id);
    const atAnswer = callsWithIt();
    const events = await eventsOf(tenant, id);
    await neighbour;

    const last = events.at(-1);
    expect(last?.type).toBe('CANCELLED');
    expect(callsWithIt() - atAnswer).toBeLessThanOrEqual(1);
    // Every call that had begun was let to its end, and counts.
    expect(last?.step).toBe(callsWithIt());
    const job = await tenant.client.job(id);
    expect(job).toMatchObject({ state: 'CANCELLED', credits: callsWithIt() });
    const ledger = await app.sql('select kind, credits from usage_entry where job_id = $1', [id]);
    expect(ledger).toEqual([{ kind: 'USAGE', credits: -callsWithIt() }]);
  });

  it('that races the end leaves one terminal state, on which both doors and the ledger agree', async () => {
    const races = Array.from({ length: 24 }, (_, index) => race(index));

    expect(new Set(await Promise.all(races))).toEqual(new Set(['SUCCEEDED', 'CANCELLED']));
  });
});

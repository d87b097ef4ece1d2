import { PassThrough } from 'node:stream';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import type { FaultyNode, FaultyReply, ReplyOf } from '../support/faulty-node.ts';
import { startFaultyPico } from '../support/faulty-pico.ts';
import { QUICK, runJob } from '../support/jobs.ts';

// The record of a model cannot be wrong on purpose here, for one that contradicts its family is not loaded. So its
// answers are: a model that was trained for something else answers just like this.

let stack: AsyncDisposableStack;
let node: FaultyNode;
let app: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  node = await startFaultyPico(stack);
  app = stack.use(await startApp({ nodeAddress: node.address }));
  tenant = await app.createTenant();
});

afterAll(() => stack.disposeAsync());

beforeEach(() => {
  node.reply = 'ok';
});

/** Spoils the answers of one part, from its call number `from` on. */
function spoilPart(part: string, reply: FaultyReply, from = 1): ReplyOf {
  let calls = 0;
  return ({ model_name: model }) => {
    if (model !== `pico.${part}`) return 'ok';
    calls += 1;
    return calls >= from ? reply : 'ok';
  };
}

describe('a job whose picture is none', () => {
  it.each([
    [
      'the model answers something else than its record says',
      'OUTPUT_IS_NOISE',
      'unet_cfg',
      'negated-output',
      1,
    ],
    ['the latents end many times too strong', 'OUTPUT_IS_NOISE', 'unet_cfg', 'loud-output', 2],
    ['the last picture has one colour', 'OUTPUT_IS_FLAT', 'vae_decoder', 'grey-output', 1],
  ] as const)(
    'for %s ends as %s at once: not charged, nothing held or stored, its settings kept, the next job drawn',
    async (_, code, part, reply, from) => {
      node.reply = spoilPart(part, reply, from);
      const input = { ...QUICK, imageCount: 2, guidanceScale: 3 };
      const { job, events } = await runJob(tenant, input);
      expect(job).toMatchObject({ ...input, state: 'FAILED', credits: 0, error: { code } });
      expect(events.map(({ type }) => type)).not.toContain('REQUEUED');
      expect(events.filter(({ type }) => type === 'STARTED')).toHaveLength(1);
      expect(await app.sql('select attempts, recoveries from job where id = $1', [job.id])).toEqual([
        { attempts: 0, recoveries: 0 },
      ]);
      expect(await app.sql('select credits from usage_entry where job_id = $1', [job.id])).toEqual([
        { credits: 0 },
      ]);
      expect(
        await app.sql('select 1 from reservation where job_id = $1 and settled_at is null', [job.id]),
      ).toEqual([]);
      expect(await app.sql('select 1 from image where job_id = $1', [job.id])).toEqual([]);

      node.reply = 'ok';
      expect((await runJob(tenant, QUICK)).job.state).toBe('SUCCEEDED');
    },
  );

  it('is not drawn on when its first answer tells', async () => {
    const evaluations: string[] = [];
    node.reply = ({ model_name: model }) => {
      if (model !== 'pico.unet_cfg') return 'ok';
      evaluations.push(model);
      return 'negated-output';
    };
    const { job } = await runJob(tenant, { ...QUICK, steps: 20 });
    expect(job.error?.message).toMatch(/predicts the noise.*-\d\.\d\d of its input/);
    expect(evaluations).toHaveLength(1);
  });
});

it('is delivered and logged where the check is told only to log', async () => {
  const lines: object[] = [];
  const stream = new PassThrough({ encoding: 'utf8' });
  stream.on('data', (line: string) => void lines.push(JSON.parse(line) as object));
  await using logging = await startApp({
    nodeAddress: node.address,
    variables: { DARKROOM_PICTURE_CHECK: 'log' },
    logger: pino({ level: 'warn' }, stream),
  });
  const owner = await logging.createTenant();
  node.reply = spoilPart('vae_decoder', 'grey-output');
  const { job } = await runJob(owner, QUICK);
  expect(job).toMatchObject({ state: 'SUCCEEDED', error: null });
  expect(lines).toContainEqual(
    expect.objectContaining({ job: job.id, code: 'OUTPUT_IS_FLAT', kind: 'FLAT', seen: 0 }),
  );
});

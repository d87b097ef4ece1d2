import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestHost } from '../support/host.ts';
import { createProgram } from '../../src/cli/program.ts';
import { PERMISSIONS } from '../../src/domains/tenancy/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { parseExposition } from '../support/exposition.ts';

const NAMES = [
  'queueDepth',
  'rowsInFlight',
  'meanBatch',
  'stepsPerSecond',
  'stepGapMs',
  'eventLoopDelayMs',
  'eventsPerSecond',
  'sockets',
  'socketBufferBytesMax',
];

const stack = new AsyncDisposableStack();
let app: TestApp;
let tenant: TestTenant;
let operator: TestTenant;

beforeAll(async () => {
  // Without a node jobs stay in the queue.
  app = stack.use(await startApp());
  [tenant, operator] = [await app.createTenant(), await app.createTenant()];
  const { text } = await app.onboarding.issueKey(operator.id, {
    name: 'operator',
    environment: 'LIVE',
    permissions: PERMISSIONS,
  });
  operator = { ...operator, apiKey: text };
  await tenant.client.submitJob({ prompt: 'a red apple' });
  await tenant.client.submitJob({ prompt: 'a dog' });
  // Another process, as it tells of itself.
  await app.sql(`insert into process_figures (id, writer, roles, host, figures) values
    ('prc_other', 'darkroom_dispatcher', '{dispatcher}', 'gpu-7', '{"upMs": 5000, "eventLoopDelayMs": 1234500, "api": null,
      "dispatcher": {"rowsInFlight": 6, "unetCalls": 20, "unetRows": 70, "busyMs": 2000, "gapMs": 30, "gaps": 20}}')`);
});

afterAll(() => stack.disposeAsync());

const ask = (asking: TestTenant) => app.request(asking, `{ platformStats { ${NAMES.join(' ')} } }`);

/** `darkroom stats` with these options, as it ends. */
async function runStats(...args: readonly string[]) {
  const host = createTestHost();
  await createProgram(host, '0.0.0').parseAsync(['stats', ...args], { from: 'user' });
  return { code: host.exitCode, out: host.out(), err: host.err() };
}

describe('platformStats', () => {
  it('is put together from all processes and the jobs of all tenants, for a key that may', async () => {
    await keepAlive();
    const { data, errors } = await ask(operator);

    expect(errors).toEqual([]);
    expect(data?.['platformStats']).toEqual({
      queueDepth: 2,
      rowsInFlight: 6,
      meanBatch: 3.5,
      stepsPerSecond: 35,
      stepGapMs: 1.5,
      eventLoopDelayMs: 1_234_500,
      eventsPerSecond: expect.any(Number),
      sockets: 0,
      socketBufferBytesMax: 0,
    });
  });

  it('is refused to an ordinary key, which was not given the scope', async () => {
    const { data, errors } = await ask(tenant);

    expect(data).toBeNull();
    expect(errors.map(({ extensions }) => extensions['code'])).toEqual(['FORBIDDEN']);
  });
});

describe('darkroom stats', () => {
  it('prints what the API says as one line of JSON with every name', async () => {
    await keepAlive();
    const { code, out } = await runStats('--api', app.api, '--key', operator.apiKey, '--json');

    expect(code).toBe(0);
    expect(out.endsWith('}\n')).toBe(true);
    expect(Object.keys(JSON.parse(out))).toEqual(NAMES);
    expect(JSON.parse(out)).toMatchObject({ queueDepth: 2, meanBatch: 3.5 });
  });

  it('prints a table for people', async () => {
    await keepAlive();
    const { code, out } = await runStats('--api', app.api, '--key', operator.apiKey);

    expect(code).toBe(0);
    expect(out).toMatch(/^queueDepth +2 jobs\n/);
    expect(out).toMatch(/\nmeanBatch +3\.50 rows per call\n/);
  });

  it('with --watch prints again and again, and Ctrl-C is no failure', async () => {
    const host = createTestHost();
    const args = ['stats', '--api', app.api, '--key', operator.apiKey, '--json', '--watch'];
    const ended = createProgram(host, '0.0.0').parseAsync(args, { from: 'user' });
    await expect.poll(() => host.out().split('\n').length, { timeout: 10_000 }).toBeGreaterThan(2);
    host.interrupt();
    await ended;

    expect({ code: host.exitCode, err: host.err() }).toEqual({ code: 0, err: '' });
  });

  it('says what to do with a key that may not', async () => {
    const { code, out, err } = await runStats('--api', app.api, '--key', tenant.apiKey);

    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/PLATFORM_READ.*Use a key with that permission\.\n$/);
  });
});

describe('/metrics', () => {
  const scrape = (headers: Record<string, string> = {}) => fetch(new URL('/metrics', app.api), { headers });

  it('is text that Prometheus reads: each metric declared once, and nothing else', async () => {
    await keepAlive();
    const answer = await scrape();
    const metrics = parseExposition(await answer.text());

    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(metrics.get('darkroom_queue_depth')).toEqual({ type: 'gauge', samples: [['', 2]] });
    expect(metrics.get('darkroom_mean_batch')?.samples).toEqual([['', 3.5]]);
    expect(metrics.get('darkroom_event_loop_delay_seconds')?.samples).toEqual([['', 1234.5]]);
    expect(metrics.get('darkroom_step_gap_seconds')?.samples).toEqual([['', 0.0015]]);
    expect(metrics.get('darkroom_unet_rows_total')).toEqual({
      type: 'counter',
      samples: expect.arrayContaining([['process="prc_other"', 70]]),
    });
    expect(metrics.get('darkroom_unet_busy_seconds_total')?.samples).toContainEqual([
      'process="prc_other"',
      2,
    ]);
    expect(metrics.get('darkroom_database_up')?.samples).toEqual([['', 1]]);
    expect(metrics.get('process_resident_memory_bytes')?.type).toBe('gauge');
  });

  it('has neither a tenant nor a key nor a prompt in it', async () => {
    const text = await (await scrape()).text();

    expect(text).toContain('darkroom_process_info{process="prc_');
    expect(text).not.toMatch(/ten_|job_|dk_|apple/);
  });

  it('is an address that does not exist to whoever comes through a proxy without the token', async () => {
    const answer = await scrape({ 'x-forwarded-for': '203.0.113.5' });

    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await answer.json()).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
  });
});

/** The planted process is one that still writes. */
const keepAlive = () =>
  app.sql(`update process_figures set updated_at = clock_timestamp() where id = 'prc_other'`);

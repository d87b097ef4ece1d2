import { access, readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyPico } from '../support/models.ts';
import type { Drawn, ReadyLine } from '../support/platform.ts';
import { ask, draw, rowsOf, runJson, startPlatform } from '../support/platform.ts';
import { startDarkroom } from '../support/processes.ts';
import { familyOf, processesIn, survivorsOf } from '../support/process-table.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { createSandbox } from '../support/sandbox.ts';

const APPLE = ['a red apple, blue background', '--seed', '7', '--steps', '6'];
// So long that it still runs when it has been seen to run.
const LONG_JOB = { prompt: 'a red apple', steps: 100, imageCount: 2, seed: '7', previewEverySteps: 0 };
const SOON = { timeout: 60_000, interval: 50 };

let sandbox: Sandbox;
/** One bundle is enough here, and starts sooner than all of them. */
let models: readonly string[];

beforeAll(async () => {
  sandbox = await createSandbox();
  models = ['--models', await copyPico(sandbox.at('models'))];
});

afterAll(() => sandbox[Symbol.asyncDispose]());

async function submitLongJob(ready: ReadyLine): Promise<string> {
  const { jobSubmit } = await ask<{ jobSubmit: { job: { id: string } } }>(
    ready,
    'mutation ($input: JobSubmitInput!) { jobSubmit(input: $input) { job { id } } }',
    { input: LONG_JOB },
  );
  return jobSubmit.job.id;
}

async function progressOf(ready: ReadyLine, id: string): Promise<{ state: string; step: number }> {
  const { job } = await ask<{ job: { state: string; step: number } }>(
    ready,
    'query ($id: ID!) { job(id: $id) { state step } }',
    { id },
  );
  return job;
}

async function expectNothingLeft(family: Awaited<ReturnType<typeof familyOf>>): Promise<void> {
  expect(await survivorsOf(family)).toEqual([]);
  expect(await processesIn(sandbox.path)).toEqual([]);
}

describe('a platform on a data folder', () => {
  const data = () => ['--data', sandbox.at('data'), ...models];
  let jobId: string;
  let apple: Drawn;
  let first: ReadyLine;

  it('that is told to end in the middle of a job puts it back and leaves no process', async () => {
    await using platform = await startPlatform(sandbox, data());
    first = platform.ready;
    apple = await draw(sandbox, first, APPLE);
    jobId = await submitLongJob(first);
    // Its row follows with the heartbeat, and by then a fast machine has drawn it.
    const told = 'select 1 from job_progress where job_id = $1 and step > 2 limit 1';
    await expect.poll(() => rowsOf(first.databaseUrl, told, [jobId]), SOON).toHaveLength(1);
    const family = await familyOf(platform.pid);
    // The platform itself, Postgres, the node, the guardian.
    expect(family.length).toBeGreaterThanOrEqual(4);

    expect(await platform.end('SIGTERM')).toMatchObject({ code: 0, signal: null });
    await expectNothingLeft(family);
    await expect(access(sandbox.at('data', 'run.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('goes on where it was: same key, the job to its end for one charge, same pixels for a seed', async () => {
    await using platform = await startPlatform(sandbox, data());
    const { ready } = platform;

    expect(ready).toMatchObject({ apiKey: first.apiKey, tenantId: first.tenantId });
    const again = await draw(sandbox, ready, APPLE);
    expect(again.image.pixelSha256).toBe(apple.image.pixelSha256);
    await expect.poll(async () => (await progressOf(ready, jobId)).state, SOON).toBe('SUCCEEDED');
    const of = (sql: string) => rowsOf(ready.databaseUrl, sql, [jobId]);
    expect(await of('select kind from usage_entry where job_id = $1')).toEqual([{ kind: 'USAGE' }]);
    expect(await of('select position from image where job_id = $1 order by position')).toEqual([
      { position: 0 },
      { position: 1 },
    ]);
    expect(await of('select type from event where job_id = $1 order by sequence')).toEqual(
      ['QUEUED', 'STARTED', 'REQUEUED', 'STARTED', 'IMAGE', 'IMAGE', 'COMPLETED'].map((type) => ({ type })),
    );

    const family = await familyOf(platform.pid);
    platform.signal('SIGKILL');
    await expect.poll(() => survivorsOf(family), SOON).toEqual([]);
    expect(await processesIn(sandbox.path)).toEqual([]);
  });

  it('starts again after it was killed, and ends on Ctrl-C without a trace outside its folder', async () => {
    await using platform = await startPlatform(sandbox, data());
    const again = await draw(sandbox, platform.ready, APPLE);
    const family = await familyOf(platform.pid);

    expect(await platform.end('SIGINT')).toMatchObject({ code: 0, signal: null });
    expect(again.image.pixelSha256).toBe(apple.image.pixelSha256);
    await expectNothingLeft(family);
    expect((await readdir(sandbox.at('data'))).toSorted()).toEqual([
      'api-key',
      'objects',
      'ports.json',
      'postgres',
      'secret',
    ]);
    expect(await readdir(sandbox.at('tmp'))).toEqual([]);
    expect(await readdir(sandbox.at('home'))).toEqual([]);
  });

  it('draws what demo draws on a platform of its own that leaves nothing behind', async () => {
    const args = ['demo', ...APPLE, '--ephemeral', '--out', sandbox.at('demo.png')];

    const drawn = await runJson<Drawn>(sandbox, args);

    expect(drawn).toMatchObject({ jobId: expect.stringMatching(/^job_/), seed: '7', steps: 6, credits: 6 });
    expect(drawn.ms).toBeGreaterThan(0);
    expect(drawn.image).toEqual({ ...apple.image, path: sandbox.at('demo.png') });
    await access(sandbox.at('demo.png'));
    expect(await readdir(sandbox.at('tmp'))).toEqual([]);
    expect(await processesIn(sandbox.path)).toEqual([]);
  });
});

describe('an ephemeral platform', () => {
  it('is gone with its folder and all its processes when it is told to end', async () => {
    await using platform = await startPlatform(sandbox, ['--ephemeral', ...models]);
    expect(platform.ready.dataDir.startsWith(sandbox.at('tmp'))).toBe(true);
    const family = await familyOf(platform.pid);

    expect(await platform.end('SIGTERM')).toMatchObject({ code: 0, signal: null });
    await expectNothingLeft(family);
    expect(await readdir(sandbox.at('tmp'))).toEqual([]);
  });

  it('is gone with its folder and all its processes soon after it was killed', async () => {
    await using platform = await startPlatform(sandbox, ['--ephemeral', ...models]);
    const family = await familyOf(platform.pid);

    platform.signal('SIGKILL');

    await expect.poll(() => survivorsOf(family), SOON).toEqual([]);
    expect(await readdir(sandbox.at('tmp'))).toEqual([]);
    expect(await processesIn(sandbox.path)).toEqual([]);
  });

  it('that is told to end while it starts leaves nothing either', async () => {
    const program = startDarkroom(['start', '--json', '--port', '0', '--ephemeral', ...models], sandbox);
    await program.line('stderr', /starting the inference node/);
    const family = await familyOf(program.pid);

    expect(await program.end('SIGTERM')).toMatchObject({ code: 130, stdout: '' });
    await expectNothingLeft(family);
    expect(await readdir(sandbox.at('tmp'))).toEqual([]);
  });
});

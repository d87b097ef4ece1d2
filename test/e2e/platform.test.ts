import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { connectKserve } from '../../src/platform/kserve/index.ts';
import { decodePixels, formatOf } from '../support/pixels.ts';
import type { Platform, ReadyLine } from '../support/platform.ts';
import { ask, draw, parseLine, rowsOf, runJson, startPlatform } from '../support/platform.ts';
import { complaintsIn, runDarkroom } from '../support/processes.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { createSandbox } from '../support/sandbox.ts';

const APPLE = ['a red apple, blue background', '--seed', '7'];

const stack = new AsyncDisposableStack();
let sandbox: Sandbox;
let platform: Platform;
let ready: ReadyLine;

beforeAll(async () => {
  sandbox = stack.use(await createSandbox());
  await mkdir(sandbox.at('closed'));
  await chmod(sandbox.at('closed'), 0o700);
  platform = stack.use(await startPlatform(sandbox, ['--data', sandbox.at('closed', 'data')]));
  ({ ready } = platform);
});

afterAll(() => stack.disposeAsync());

const inDatabase = <Row extends object>(sql: string, ...values: readonly unknown[]) =>
  rowsOf<Row>(ready.databaseUrl, sql, values);

const words = (text: string) => text.split(' ');

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

const JOB = `query ($id: ID!) { job(id: $id) {
  state prompt negativePrompt width height steps guidanceScale scheduler seed imageCount outputFormat variantId
  images { seed } } }`;

const FIGURES =
  'queueDepth rowsInFlight meanBatch stepsPerSecond stepGapMs eventLoopDelayMs eventsPerSecond sockets socketBufferBytesMax';

describe('what start prints', () => {
  it('is one line with full addresses, on a data folder below one that only its owner may enter', () => {
    expect(ready).toEqual({
      api: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/graphql$/),
      ws: expect.stringMatching(/^ws:\/\/127\.0\.0\.1:\d+\/graphql$/),
      node: expect.stringMatching(/^grpc:\/\/127\.0\.0\.1:\d+$/),
      apiKey: expect.stringMatching(/^dk_live_/),
      tenantId: expect.stringMatching(/^ten_/),
      databaseUrl: expect.stringMatching(/^postgres:\/\//),
      dataDir: sandbox.at('closed', 'data'),
    });
  });

  it('names an API that knows the first tenant by the key, over HTTP', async () => {
    const viewer = await ask(ready, '{ viewer { tenant { id } key { permissions } } }');

    expect(viewer).toMatchObject({
      viewer: {
        tenant: { id: ready.tenantId },
        key: { permissions: expect.arrayContaining(['JOBS_READ', 'JOBS_WRITE', 'TENANT_READ']) },
      },
    });
  });

  it('names a socket that lets the key in', async () => {
    const socket = new WebSocket(ready.ws, 'graphql-transport-ws');
    await once(socket, 'open');
    const answer = once(socket, 'message');
    const authorization = `Bearer ${ready.apiKey}`;
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));

    expect(JSON.parse(String((await answer)[0]))).toMatchObject({ type: 'connection_ack' });
    socket.terminate();
  });

  it('names a KServe node that serves both bundles', async () => {
    await using node = connectKserve({ address: ready.node, callTimeoutMs: 5_000 });

    expect(await node.serverReady()).toBe(true);
    const models = (await node.repositoryIndex()).map(({ name }) => name);
    expect(models).toEqual(expect.arrayContaining(['pico.unet_cfg', 'pico-noto.unet_cfg']));
  });

  it("names the database's superuser over TCP", async () => {
    expect(await inDatabase(`select current_setting('is_superuser') as super`)).toEqual([{ super: 'on' }]);
  });
});

describe('a new data folder', () => {
  it('holds the first key, the secret and how to reach what runs, for its owner alone', async () => {
    const modeOf = async (name: string) =>
      ((await stat(sandbox.at('closed', 'data', name))).mode & 0o777).toString(8);

    expect(await readFile(sandbox.at('closed', 'data', 'api-key'), 'utf8')).toBe(`${ready.apiKey}\n`);
    expect(await Promise.all(['api-key', 'secret', 'run.json', 'postgres'].map(modeOf))).toEqual([
      '600',
      '600',
      '600',
      '700',
    ]);
  });

  it('begins with a tenant that may queue 1,000 jobs and whose ledger opens with a GRANT', async () => {
    const plan = await inDatabase(
      'select queued_jobs_max from plan join tenant on plan.id = plan_id where tenant.id = $1',
      ready.tenantId,
    );
    const [opening] = await inDatabase<{ kind: string; credits: number }>(
      'select kind, credits from usage_entry where tenant_id = $1 order by created_at, id limit 1',
      ready.tenantId,
    );

    expect(plan).toEqual([{ queued_jobs_max: 1_000 }]);
    expect(opening?.kind).toBe('GRANT');
    expect(opening?.credits).toBeGreaterThan(0);
  });
});

describe('generate', () => {
  it('draws a red apple on blue', async () => {
    const { image, ...drawn } = await draw(sandbox, ready, [...APPLE, '--out', sandbox.at('apple.png')]);

    const file = await readFile(sandbox.at('apple.png'));
    const { data, info } = await decodePixels(file);
    expect(await formatOf(file)).toBe('png');
    expect(info).toMatchObject({ width: 128, height: 128, channels: 3 });
    const edge = meanColour(data, (x, y) => x < 8 || x >= 120 || y < 8 || y >= 120);
    const centre = meanColour(data, (x, y) => x >= 48 && x < 80 && y >= 48 && y < 80);
    expect(edge.blue).toBeGreaterThan(Math.max(edge.red, edge.green) + 60);
    expect(centre.red).toBeGreaterThan(Math.max(centre.green, centre.blue) + 60);
    expect(drawn).toMatchObject({ jobId: expect.stringMatching(/^job_/), seed: '7', steps: 25, credits: 25 });
    expect(drawn.ms).toBeGreaterThan(0);
    expect(image).toEqual({
      path: sandbox.at('apple.png'),
      width: 128,
      height: 128,
      sha256: sha256(file),
      pixelSha256: sha256(data),
    });
  });

  it('draws equal pixels for equal seeds and others for others', async () => {
    const [first, again, other] = await Promise.all([
      draw(sandbox, ready, [...APPLE, '--steps', '4', '--out', sandbox.at('first.png')]),
      draw(sandbox, ready, [...APPLE, '--steps', '4', '--out', sandbox.at('again.png')]),
      draw(sandbox, ready, ['a red apple, blue background', '--steps', '4', '--seed', '8']),
    ]);

    expect(again.image.pixelSha256).toBe(first.image.pixelSha256);
    expect(other.image.pixelSha256).not.toBe(first.image.pixelSha256);
  });

  it('sends every option on to the job and writes every picture of it', async () => {
    const { variants } = await ask<{ variants: readonly { id: string; name: string }[] }>(
      ready,
      '{ variants { id name } }',
    );
    const variantId = variants.find(({ name }) => name === 'pico-noto')?.id ?? 'no such variant';
    await mkdir(sandbox.at('pictures'));

    const drawn = await draw(sandbox, ready, [
      'a green tree',
      ...words('--negative snow --seed 18446744073709551615 --steps 6 --guidance 2.5'),
      ...words(`--scheduler euler-discrete --size 160x96 --count 2 --variant ${variantId} --format webp`),
      ...words(`--out ${sandbox.at('pictures', 'tree.webp')}`),
    ]);

    expect(await ask(ready, JOB, { id: drawn.jobId })).toEqual({
      job: {
        state: 'SUCCEEDED',
        prompt: 'a green tree',
        negativePrompt: 'snow',
        width: 160,
        height: 96,
        steps: 6,
        guidanceScale: 2.5,
        scheduler: 'EULER_DISCRETE',
        seed: '18446744073709551615',
        imageCount: 2,
        outputFormat: 'WEBP',
        variantId,
        // Picture i has seed + i, and after the largest seed comes 0.
        images: [{ seed: '18446744073709551615' }, { seed: '0' }],
      },
    });
    expect(await readdir(sandbox.at('pictures'))).toEqual(['tree-1.webp', 'tree-2.webp']);
    for (const { path, sha256: digest } of drawn.images) {
      const file = await readFile(path);
      expect(await formatOf(file)).toBe('webp');
      expect((await decodePixels(file)).info).toMatchObject({ width: 160, height: 96 });
      expect(sha256(file)).toBe(digest);
    }
  });

  it('without --json says where the picture is, under a name from prompt and seed', async () => {
    const { api, apiKey } = ready;
    const env = { ...sandbox.env, DARKROOM_API: api, DARKROOM_API_KEY: apiKey };
    const args = ['generate', 'A small dog!', '--seed', '3', '--steps', '2'];

    const { code, stdout } = await runDarkroom(args, { cwd: sandbox.cwd, env });

    expect(code).toBe(0);
    expect(stdout).toContain(sandbox.at('work', 'a-small-dog-3.png'));
    await stat(sandbox.at('work', 'a-small-dog-3.png'));
  });
});

describe.concurrent('generate refuses', () => {
  it.each([
    ['an empty prompt', ['', '--seed', '1'], 2, /^prompt: /],
    ['more steps than LCM has', ['a dog', '--scheduler', 'lcm', '--steps', '51'], 2, /^steps: /],
    ['a wrong key', ['a dog', '--key', 'dk_live_wrong'], 1, /--key or DARKROOM_API_KEY/],
    ['a folder that is not there', ['a dog', '--out', '/no/such/folder/a.png'], 1, /Choose another --out/],
  ])('%s with a line that says what is wrong, and leaves no job', async (_, args, code, line) => {
    const countJobs = () => inDatabase('select count(*) from job');
    const before = await countJobs();
    const { api, apiKey } = ready;
    const given = ['--api', api, ...(args.includes('--key') ? [] : ['--key', apiKey])];

    const outcome = await runDarkroom(['generate', ...args, ...given], sandbox);

    expect(outcome).toMatchObject({ code, stdout: '' });
    expect(complaintsIn(outcome).some((each) => line.test(each))).toBe(true);
    expect(await countJobs()).toEqual(before);
  });
});

describe('a job that ran', () => {
  it('has one usage row, a settled reservation and events that end with COMPLETED', async () => {
    const { jobId, credits } = await draw(sandbox, ready, ['a cat', '--steps', '3', '--count', '2']);

    const of = (sql: string) => inDatabase(sql, jobId);
    expect(await of('select kind, credits from usage_entry where job_id = $1')).toEqual([
      { kind: 'USAGE', credits: -credits },
    ]);
    expect(credits).toBe(6);
    expect(
      await of('select credits, settled_at is not null as settled from reservation where job_id = $1'),
    ).toEqual([{ credits: 6, settled: true }]);
    expect(await of('select type from event where job_id = $1 order by sequence')).toEqual(
      ['QUEUED', 'STARTED', 'IMAGE', 'IMAGE', 'COMPLETED'].map((type) => ({ type })),
    );
  });

  it('leaves nothing unsettled, and no job of this file was charged twice or not at all', async () => {
    const open = await inDatabase('select job_id from reservation where settled_at is null');
    const wrong = await inDatabase(
      `select job.id from job left join usage_entry on usage_entry.job_id = job.id
        where job.started_at is not null group by job.id having count(usage_entry.id) <> 1`,
    );

    expect([open, wrong]).toEqual([[], []]);
  });
});

describe('darkroom stats', () => {
  it('tells the same names by the API with the first key, and by the data folder', async () => {
    const { api, apiKey, dataDir } = ready;
    const byApi = await runJson<object>(sandbox, ['stats', '--api', api, '--key', apiKey]);
    const byFolder = await runJson<object>(sandbox, ['stats', '--data', dataDir]);

    expect(Object.keys(byApi)).toEqual(words(FIGURES));
    expect(Object.keys(byFolder)).toEqual(words(FIGURES));
    // Known to the running process alone, which has published it.
    expect(byFolder).toMatchObject({ queueDepth: 0, eventLoopDelayMs: expect.any(Number) });
  });
});

describe('a second tenant', () => {
  it("draws with a key of its own, and the first one's job is to it as one that never was", async () => {
    const tenant = await runJson<{ tenantId: string }>(sandbox, [
      'tenant',
      'create',
      'Second House',
      '--data',
      ready.dataDir,
    ]);
    const keyCreate = ['key', 'create', '--tenant', tenant.tenantId, '--data', ready.dataDir];
    const { apiKey } = await runJson<{ apiKey: string }>(sandbox, keyCreate);
    const second = { api: ready.api, apiKey };

    const [hers, theirs] = await Promise.all([
      draw(sandbox, second, ['a fish', '--steps', '2', '--out', sandbox.at('hers.png')]),
      draw(sandbox, ready, ['a fish', '--steps', '2', '--out', sandbox.at('theirs.png')]),
    ]);

    expect(tenant.tenantId).not.toBe(ready.tenantId);
    const missing = await ask(second, JOB, { id: 'job_01J0000000000000000000000' });
    expect(missing).toEqual({ job: null });
    expect(await ask(second, JOB, { id: theirs.jobId })).toEqual(missing);
    expect(await ask(ready, JOB, { id: hers.jobId })).toEqual(missing);
    expect(await ask(second, JOB, { id: hers.jobId })).toMatchObject({ job: { state: 'SUCCEEDED' } });
  });
});

describe('a data folder that a platform runs on', () => {
  it('is shared by a second one, and the first goes on when that ends', async () => {
    await using second = await startPlatform(sandbox, ['--data', ready.dataDir]);

    expect(second.ready).toEqual({ ...ready, api: second.ready.api, ws: second.ready.ws });
    expect(second.ready.api).not.toBe(ready.api);
    await draw(sandbox, second.ready, ['a house', '--steps', '2']);
    expect(await second.end('SIGTERM')).toMatchObject({ code: 0 });
    await draw(sandbox, ready, ['a house', '--steps', '2']);
    // How other commands reach the first one is still written there.
    await runJson(sandbox, ['tenant', 'create', 'Third House', '--data', ready.dataDir]);
  });
});

describe('Ctrl-C', () => {
  it('ends start with status 0 and nothing more on stdout than its line', async () => {
    const { code, stdout } = await platform.end('SIGINT');

    expect(code).toBe(0);
    expect(stdout).toMatch(/^[^\n]+\n$/);
    expect(parseLine(stdout)).toEqual(ready);
  });
});

function meanColour(pixels: Uint8Array, isInside: (x: number, y: number) => boolean) {
  const sums = [0, 0, 0];
  let count = 0;
  for (let pixel = 0; pixel < 128 * 128; pixel++) {
    if (!isInside(pixel % 128, Math.floor(pixel / 128))) continue;
    for (const channel of [0, 1, 2])
      sums[channel] = (sums[channel] ?? 0) + (pixels[3 * pixel + channel] ?? 0);
    count += 1;
  }
  const [red = 0, green = 0, blue = 0] = sums.map((sum) => sum / count);
  return { red, green, blue };
}

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestHost } from '../../test/support/host.ts';
import { createTestHost } from '../../test/support/host.ts';
import type { TinyApi } from '../../test/support/tiny-api.ts';
import { fileOf, startTinyApi, TINY_KEY } from '../../test/support/tiny-api.ts';
import { generateCommand } from './generate.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'darkroom-generate-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let cwd = '';
beforeEach(async () => {
  cwd = await mkdtemp(join(root, 'cwd-'));
});

const hostFor = (api: TinyApi, more: { isTTY?: boolean } = {}) =>
  createTestHost({ cwd, environment: { DARKROOM_API: api.api, DARKROOM_API_KEY: TINY_KEY }, ...more });

const run = (host: TestHost, ...args: string[]) =>
  generateCommand(host).exitOverride().parseAsync(args, { from: 'user' });

/** The job lives from submit to its end by itself. */
function liveThrough(api: TinyApi): void {
  api.onSubmit = () => {
    api.emit('STARTED', 0);
    for (let step = 1; step <= 20; step++) api.emit('STEP', step);
    api.emit('IMAGE', 20);
    api.emit('COMPLETED', 20);
  };
}

/** What lies in the current folder after a run. */
async function names(...args: string[]): Promise<string[]> {
  await using api = await startTinyApi();
  liveThrough(api);
  await run(hostFor(api), ...args, '--json');
  return (await readdir(cwd)).toSorted();
}

describe('darkroom generate', () => {
  it('writes the picture and prints one line of JSON and nothing else', async () => {
    await using api = await startTinyApi();
    liveThrough(api);
    const host = hostFor(api);
    await run(host, 'a red apple', '--json', '--seed', '18446744073709551615', '--count', '2');
    expect(host.err()).toBe('');
    expect(host.out()).toMatch(/^[^\n]+\n$/);
    const result: unknown = JSON.parse(host.out());
    const pictures = [1, 2].map((number) => ({
      path: join(cwd, `a-red-apple-18446744073709551615-${number}.png`),
      width: 128,
      height: 128,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      pixelSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    }));
    expect(result).toEqual({
      jobId: 'job_tiny',
      image: pictures[0],
      images: pictures,
      seed: '18446744073709551615',
      steps: 20,
      credits: 20,
      ms: expect.any(Number),
    });
    for (const [index, { path }] of pictures.entries()) expect(await readFile(path)).toEqual(fileOf(index));
    expect(host.exitCode).toBe(0);
  });

  it('says where the picture is, what seed drew it and what it cost', async () => {
    await using api = await startTinyApi();
    liveThrough(api);
    const host = hostFor(api);
    await run(host, 'a red apple, blue background');
    expect(host.out()).toMatch(
      /^\S+\/a-red-apple-blue-background-7\.png {2}128x128\nseed 7, 20 credits, \d+ ms\n$/,
    );
  });

  it('passes every option on as the API spells it', async () => {
    await using api = await startTinyApi();
    liveThrough(api);
    const options = [
      '--steps',
      '4',
      '--guidance',
      '7.5',
      '--scheduler',
      'euler-discrete',
      '--size',
      '256x128',
    ];
    const more = [
      '--sigma-schedule',
      'Karras',
      '--negative',
      'text',
      '--variant',
      'var_x',
      '--format',
      'WebP',
    ];
    await run(hostFor(api), 'x', ...options, ...more);
    expect(api.submitted[0]).toMatchObject({
      prompt: 'x',
      negativePrompt: 'text',
      steps: 4,
      guidanceScale: 7.5,
      scheduler: 'EULER_DISCRETE',
      sigmaSchedule: 'KARRAS',
      width: 256,
      height: 128,
      variantId: 'var_x',
      outputFormat: 'WEBP',
    });
    expect(api.submitted[0]).not.toHaveProperty('samplerOptions');
  });

  it('leaves to the API what was not said', async () => {
    await using api = await startTinyApi();
    liveThrough(api);
    await run(hostFor(api), 'x');
    expect({ ...api.submitted[0] }).toEqual({ prompt: 'x', previewEverySteps: 0 });
  });

  it.each([
    ['--algorithm', 'magic'],
    ['--timesteps', '999,many'],
    ['--sigmas', ''],
    ['--size', '128'],
    ['--steps', 'many'],
    ['--seed', '-1'],
    ['--format', 'gif'],
  ])('refuses %s %s before it asks the API', async (...option) => {
    await using api = await startTinyApi();
    const command = generateCommand(hostFor(api))
      .exitOverride()
      .configureOutput({ writeErr: () => undefined });
    await expect(command.parseAsync(['x', ...option], { from: 'user' })).rejects.toMatchObject({
      code: 'commander.invalidArgument',
    });
    expect(api.submitted).toEqual([]);
  });

  it('prints what the API refuses field by field, and exits with 2', async () => {
    await using api = await startTinyApi();
    api.refusal = [
      { code: 'INVALID_INPUT', field: ['steps'], message: 'At least 1.' },
      { code: 'INVALID_INPUT', field: ['metadata', '0'], message: 'Not\u001b[31m that\nway.' },
    ];
    const host = hostFor(api);
    await run(host, 'x', '--steps', '0');
    expect(host.err()).toBe('steps: At least 1.\nmetadata.0: Not [31m that way.\n');
    expect(host.out()).toBe('');
    expect(host.exitCode).toBe(2);
    expect(await readdir(cwd)).toEqual([]);
  });

  it.each([
    [['--api', 'http://127.0.0.1:1/graphql'], /^No answer from http:\/\/127\.0\.0\.1:1\..* Check --api/],
    [['--api', 'localhost'], /^Not the URL of an API/],
    [['--key', 'dk_live_wrong'], /^No such key\. Give a key in force with --key/],
  ])('exits with 1 and one line that says what to do: %j', async (options, line) => {
    await using api = await startTinyApi();
    const host = hostFor(api);
    await run(host, 'x', ...options);
    expect(host.err()).toMatch(line);
    expect(host.err().match(/\n/g)).toHaveLength(1);
    expect(host.exitCode).toBe(1);
  });

  it('says what is missing when it is not told which API', async () => {
    const host = createTestHost({ cwd });
    await run(host, 'x');
    expect(host.err()).toBe('Which API? Give its endpoint with --api or DARKROOM_API.\n');
    expect(host.exitCode).toBe(1);
  });

  it('exits with 1 when the job fails, and says why', async () => {
    await using api = await startTinyApi();
    api.onSubmit = () => api.emit('FAILED');
    const host = hostFor(api);
    await run(host, 'x', '--json');
    expect(host.err()).toBe('Job job_tiny failed (ENGINE_FAILED): The model could not be run.\n');
    expect(host.exitCode).toBe(1);
    expect(await readdir(cwd)).toEqual([]);
  });

  it('says when the socket was cut in the middle, goes on, and tells each step once', async () => {
    await using api = await startTinyApi();
    api.overlap = 3;
    const host = hostFor(api);
    const running = run(host, 'x');
    await api.followed(1);
    api.emit('STARTED', 0);
    for (let step = 1; step <= 10; step++) api.emit('STEP', step);
    api.cut();
    await api.followed(2);
    for (let step = 11; step <= 20; step++) api.emit('STEP', step);
    api.emit('COMPLETED', 20);
    await running;
    const lines = host.err().trim().split('\n');
    const drawing = lines.filter((line) => line.startsWith('drawing'));
    expect(lines.filter((line) => line === 'connection lost, trying again')).toHaveLength(1);
    expect(drawing).toEqual(
      [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20].map((n) => `drawing: ${n}/20 (${n * 5} %)`),
    );
    expect(host.exitCode).toBe(0);
  });

  it('draws a bar where a person is looking', async () => {
    await using api = await startTinyApi();
    liveThrough(api);
    const host = hostFor(api, { isTTY: true });
    await run(host, 'x');
    expect(host.err()).toContain('░');
    expect(host.err()).not.toContain('drawing: ');
  });

  it('cancels the job at Ctrl-C and exits with 130; a second one does not wait', async () => {
    await using api = await startTinyApi();
    const host = hostFor(api);
    const running = run(host, 'x');
    await api.followed(1);
    api.emit('STARTED', 0);
    host.interrupt();
    expect(host.exits).toEqual([]);
    host.interrupt();
    expect(host.exits).toEqual([130]);
    await running;
    expect(api.cancelled).toEqual(['job_tiny']);
    expect(host.err()).toMatch(/(?:^|\n)Interrupted; job job_tiny is cancelled\.\n$/);
    expect(host.exitCode).toBe(130);
    expect(await readdir(cwd)).toEqual([]);
  });

  it('submits nothing when the picture could not be written', async () => {
    await using api = await startTinyApi();
    liveThrough(api);
    await writeFile(join(cwd, 'file'), 'mine');
    for (const out of ['missing/a.png', 'missing/', 'file/a.png', '/dev/null', '/proc/a.png']) {
      const host = hostFor(api);
      await run(host, 'x', '--out', out);
      expect(host.err()).toMatch(/Choose another --out\.\n$/);
      expect(host.exitCode).toBe(1);
    }
    expect(api.submitted).toEqual([]);
    expect(await readdir(cwd)).toEqual(['file']);
  });
});

describe('the name of the picture', () => {
  it('never is that of a file that exists, unless it was asked for', async () => {
    await writeFile(join(cwd, 'x-7.png'), 'mine');
    expect(await names('x')).toEqual(['x-7-2.png', 'x-7.png']);
    expect(await names('x')).toEqual(['x-7-2.png', 'x-7-3.png', 'x-7.png']);
    expect(await readFile(join(cwd, 'x-7.png'), 'utf8')).toBe('mine');
    await names('x', '--out', 'x-7.png');
    expect(await readFile(join(cwd, 'x-7.png'))).toEqual(fileOf(0));
  });

  it('ends in what can be written, or in nothing, before anything is paid for', async () => {
    await using api = await startTinyApi();
    liveThrough(api);
    for (const out of ['x.gif', 'x.PDF', 'x.json']) {
      const host = hostFor(api);
      await run(host, 'x', '--out', out);
      expect(host.exitCode).toBe(1);
      expect(host.err()).toMatch(/^No picture can be written as \.\w+\. .*\.png, \.jpg, \.jpeg, \.webp/);
    }
    expect(api.submitted).toEqual([]);
    expect(await names('x', '--out', 'v1.5 apple')).toEqual(['v1.5 apple']);
  });

  it('is --out, inside it where that is a folder, and numbered where there are several', async () => {
    await mkdir(join(cwd, 'folder'));
    await names('x', '--out', 'folder');
    expect(await readdir(join(cwd, 'folder'))).toEqual(['x-7.png']);
    expect(await names('x', '--out', 'picture.png', '--count', '2')).toEqual([
      'folder',
      'picture-1.png',
      'picture-2.png',
    ]);
  });

  it('ends as the format is called, and an ending asked for chooses the format', async () => {
    expect(await names('x', '--format', 'jpeg')).toEqual(['x-7.jpg']);
    await using api = await startTinyApi();
    liveThrough(api);
    await run(hostFor(api), 'x', '--out', 'b.JPG');
    await run(hostFor(api), 'x', '--out', 'c.jpg', '--format', 'png');
    expect(api.submitted.map(({ outputFormat }) => outputFormat)).toEqual(['JPEG', 'PNG']);
  });

  it('is made of the letters of the prompt that every file system takes', async () => {
    expect(await names('Ünïcödé ../../etc/passwd\u202e 🍎 "quotes"')).toEqual([
      'unicode-etc-passwd-quotes-7.png',
    ]);
    expect(await names('猫')).toContain('picture-7.png');
    const long = (await names('word '.repeat(100))).find((name) => name.startsWith('word'));
    expect(long?.length).toBeLessThan(60);
  });
});

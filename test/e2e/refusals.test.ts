import { once } from 'node:events';
import { access, mkdir, open, rm, truncate, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../support/processes.ts';
import { complaintsIn, runDarkroom, startDarkroom } from '../support/processes.ts';
import { familyOf, processesIn, survivorsOf } from '../support/process-table.ts';
import { copyPico } from '../support/models.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { createSandbox } from '../support/sandbox.ts';

const START = ['start', '--json', '--port', '0'];

/** Refused: status 1, one line for a person and nothing for a program, and no trace of the attempt. */
async function expectRefusal(outcome: Outcome, line: RegExp, sandbox: Sandbox): Promise<void> {
  expect(outcome).toMatchObject({ code: 1, signal: null, stdout: '' });
  expect(complaintsIn(outcome)).toEqual([expect.stringMatching(line)]);
  expect(await sandbox.leftovers()).toEqual([]);
  expect(await processesIn(sandbox.path)).toEqual([]);
}

async function expectMissing(path: string): Promise<void> {
  await expect(access(path)).rejects.toMatchObject({ code: expect.stringMatching(/ENOENT|ENOTDIR/) });
}

async function flipByte(file: string, position: number): Promise<void> {
  await using handle = await open(file, 'r+');
  const { buffer } = await handle.read({ buffer: Buffer.alloc(1), position });
  await handle.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, position);
}

describe.concurrent('start refuses', () => {
  it('a port that is in use, and stops what it had started by then', async () => {
    await using sandbox = await createSandbox();
    await using taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const args = ['start', '--json', '--port', String(port), '--ephemeral'];

    await using program = startDarkroom(args, sandbox);
    await program.line('stderr', /starting the API/);
    const family = await familyOf(program.pid);
    const outcome = await program.ended;

    expect(family.length).toBeGreaterThanOrEqual(4);
    await expectRefusal(outcome, new RegExp(`^Port ${port} .*is in use.*--port`), sandbox);
    expect(await survivorsOf(family)).toEqual([]);
  });

  it.each([
    ['below a file', (sandbox: Sandbox) => sandbox.at('file', 'data')],
    ['where nobody may write', () => '/proc/darkroom'],
  ])('a data folder %s', async (_, placeOf) => {
    await using sandbox = await createSandbox();
    await writeFile(sandbox.at('file'), 'a file');

    const outcome = await runDarkroom([...START, '--data', placeOf(sandbox)], sandbox);

    await expectRefusal(outcome, /cannot be written.*--data DIR, or use --ephemeral/, sandbox);
    await expectMissing(placeOf(sandbox));
  });

  it.each([
    ['graph', 'unet/unet_cfg.onnx', (file: string) => flipByte(file, 5_000), /is damaged.*Restore it/],
    [
      'weight',
      'unet/diffusion_pytorch_model.safetensors',
      (file: string) => flipByte(file, 1_000_000),
      /is damaged.*Restore it/,
    ],
    [
      'end of a weights file',
      'vae/diffusion_pytorch_model.safetensors',
      (file: string) => truncate(file, 4_096),
      /is damaged.*Restore it/,
    ],
    ['vocabulary', 'tokenizer/vocab.json', (file: string) => rm(file), /cannot be read.*Restore it/],
  ])('a bundle whose %s is not what it was, and names the file', async (_, file, damage, line) => {
    await using sandbox = await createSandbox();
    await copyPico(sandbox.at('models'));
    await damage(sandbox.at('models', 'pico', file));

    const args = [...START, '--models', sandbox.at('models'), '--data', sandbox.at('data')];
    const outcome = await runDarkroom(args, sandbox);

    await expectRefusal(outcome, line, sandbox);
    expect(outcome.stderr).toContain(sandbox.at('models', 'pico', file));
    await expectMissing(sandbox.at('data'));
  });

  it('a models folder without a bundle', async () => {
    await using sandbox = await createSandbox();
    await mkdir(sandbox.at('models'));

    const outcome = await runDarkroom([...START, '--models', sandbox.at('models'), '--ephemeral'], sandbox);

    await expectRefusal(outcome, /holds no bundle.*Point --models at a folder of bundles/, sandbox);
  });

  it('to keep the data and not to keep it', async () => {
    await using sandbox = await createSandbox();

    const outcome = await runDarkroom([...START, '--ephemeral', '--data', sandbox.at('data')], sandbox);

    await expectRefusal(outcome, /--data .*--ephemeral.*give one of them/, sandbox);
    await expectMissing(sandbox.at('data'));
  });

  it.each([
    [
      'a database without its other logins',
      { DATABASE_URL: 'postgres://app@127.0.0.1/darkroom' },
      /DATABASE_AUTH_URL, .*DATABASE_LISTEN_URL missing.*darkroom migrate/,
    ],
    ['a secret that is too short', { DARKROOM_SECRET: 'hunter2' }, /DARKROOM_SECRET .*32 characters/],
  ])('%s', async (_, env, line) => {
    await using sandbox = await createSandbox();
    const surroundings = { cwd: sandbox.cwd, env: { ...sandbox.env, ...env } };

    const outcome = await runDarkroom([...START, '--data', sandbox.at('data')], surroundings);

    await expectRefusal(outcome, line, sandbox);
    expect(outcome.stderr).not.toContain('hunter2');
    await expectMissing(sandbox.at('data'));
  });
});

const NOBODY = 'postgres://somebody:s3cret@127.0.0.1:9/darkroom';
const SYSTEM = { DATABASE_SYSTEM_URL: NOBODY, DARKROOM_SECRET: 's'.repeat(32) };
const TENANT = `ten_${'0'.repeat(26)}`;

describe.concurrent('a command whose server is away names it, and what to do', () => {
  it.each([
    [
      'migrate',
      { DATABASE_MIGRATE_URL: NOBODY },
      /DATABASE_MIGRATE_URL .*nothing listens at 127\.0\.0\.1:9\): start it/,
    ],
    ['node list', SYSTEM, /DATABASE_SYSTEM_URL .*nothing listens at 127\.0\.0\.1:9\): start it/],
    ['tenant create House', SYSTEM, /DATABASE_SYSTEM_URL .*nothing listens at 127\.0\.0\.1:9\): start it/],
    [`key create --tenant ${TENANT}`, SYSTEM, /DATABASE_SYSTEM_URL .*nothing listens at 127\.0\.0\.1:9\)/],
    ['stats', SYSTEM, /DATABASE_SYSTEM_URL .*nothing listens at 127\.0\.0\.1:9\)/],
    [
      'node add grpc://127.0.0.1:9',
      {},
      /No node is ready at grpc:\/\/127\.0\.0\.1:9 \(nothing listens at 127\.0\.0\.1:9\)/,
    ],
  ])('%s', async (command, env, line) => {
    await using sandbox = await createSandbox();

    const outcome = await runDarkroom(command.split(' '), {
      cwd: sandbox.cwd,
      env: { ...sandbox.env, ...env },
    });

    await expectRefusal(outcome, line, sandbox);
    expect(outcome.stderr).not.toMatch(/ECONN|s3cret|Prisma/);
  });
});

describe.concurrent('start warns', () => {
  it('that others cannot follow links of an API on every address without a public URL', async () => {
    await using sandbox = await createSandbox();
    const env = { ...sandbox.env, DARKROOM_HOST: '0.0.0.0' };
    await using program = startDarkroom([...START, '--ephemeral', '--no-node'], { cwd: sandbox.cwd, env });

    expect(await program.line('stderr', /DARKROOM_PUBLIC_URL/)).toMatch(
      /^darkroom: clients on other machines need DARKROOM_PUBLIC_URL/,
    );
  });
});

describe.concurrent('a command that lacks something says what', () => {
  it.each([
    ['an API', ['generate', 'a dog', '--key', 'dk_live_x'], /--api or DARKROOM_API/],
    ['a key', ['generate', 'a dog', '--api', 'http://127.0.0.1:9/graphql'], /--key or DARKROOM_API_KEY/],
    [
      'an API that answers',
      ['generate', 'a dog', '--api', 'http://127.0.0.1:9/graphql', '--key', 'dk_live_x'],
      /Check --api or DARKROOM_API/,
    ],
    ['a running platform', ['tenant', 'create', 'House', '--data', 'nowhere'], /No platform runs on nowhere/],
    ["an administrator's login", ['migrate'], /Set DATABASE_MIGRATE_URL/],
  ])('%s', async (_, args, line) => {
    await using sandbox = await createSandbox();

    const outcome = await runDarkroom(args, sandbox);

    await expectRefusal(outcome, line, sandbox);
  });
});

const PICTURE =
  '--out --seed --steps --guidance --scheduler --size --negative --count --variant --format --json';

describe.concurrent('the command line', () => {
  it.each([
    ['start', '--json --port --data --ephemeral --introspection --models --roles --no-node'],
    ['demo', `${PICTURE} --data --ephemeral --port --models`],
    ['generate', `${PICTURE} --api --key`],
    ['node', '--host --port --models --json add list remove'],
    ['node add', '--name --force --data --json'],
    ['migrate', '--reset-passwords --json'],
    ['tenant create', '--slug --credits --data --json'],
    ['key create', '--tenant --scopes --data --json'],
    ['key list', '--tenant --data --json'],
    ['key revoke', '--data --json'],
    ['', 'start demo generate node migrate tenant key'],
  ])('explains `%s` and all that it takes', async (command, names) => {
    await using sandbox = await createSandbox();
    const words = command.split(' ').filter((word) => word !== '');

    const { code, stdout, stderr } = await runDarkroom([...words, '--help'], sandbox);

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(names.split(' ').filter((name) => !stdout.includes(`  ${name}`))).toEqual([]);
  });

  it.each([
    ['an option that it does not know', ['start', '--colour'], /unknown option '--colour'/],
    ['a command that it does not know', ['paint'], /unknown command 'paint'/],
    ['a port that cannot be one', ['start', '--port', '70000'], /between 0 and 65535/],
  ])('refuses %s and points to --help', async (_, args, line) => {
    await using sandbox = await createSandbox();

    const { code, stdout, stderr } = await runDarkroom(args, sandbox);

    expect(code).toBeGreaterThan(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(line);
    expect(stderr).toContain('--help');
  });
});

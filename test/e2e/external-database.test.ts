import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseUrl } from '../../src/platform/db/url.ts';
import type { ExternalPostgres } from '../support/external-postgres.ts';
import { startExternalPostgres } from '../support/external-postgres.ts';
import { copyPico } from '../support/models.ts';
import type { Environment } from '../support/platform.ts';
import { ask, draw, rowsOf, runJson, startPlatform } from '../support/platform.ts';
import { complaintsIn, runDarkroom, startDarkroom } from '../support/processes.ts';
import { processesIn } from '../support/process-table.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { createSandbox } from '../support/sandbox.ts';
import { startPart } from '../support/split.ts';

const SETTINGS = [
  'DATABASE_URL',
  'DATABASE_AUTH_URL',
  'DATABASE_DISPATCHER_URL',
  'DATABASE_SYSTEM_URL',
  'DATABASE_LISTEN_URL',
];
const SECRET = { DARKROOM_SECRET: 'a secret of at least thirty-two characters' };

const stack = new AsyncDisposableStack();
let sandbox: Sandbox;
let postgres: ExternalPostgres;
let models: readonly string[];
/** What the first migration printed. */
let settings: Environment;

beforeAll(async () => {
  sandbox = stack.use(await createSandbox());
  models = ['--models', await copyPico(sandbox.at('models'))];
  postgres = stack.use(await startExternalPostgres(sandbox.at('postgres')));
  await rowsOf(postgres.adminUrl, 'create database studio');
  await rowsOf(postgres.adminUrl, 'create database untouched');
});

afterAll(() => stack.disposeAsync());

const adminOf = (database: string) => databaseUrl(postgres.adminUrl, { database });

function migrateStudio(...args: readonly string[]) {
  const env = { ...sandbox.env, DATABASE_MIGRATE_URL: adminOf('studio') };
  return runDarkroom(['migrate', ...args], { cwd: sandbox.cwd, env });
}

/** A start that must be refused: in a line for a person, and with nothing left that it had started. */
async function expectRefusal(env: Environment, line: RegExp): Promise<void> {
  await using own = await createSandbox();
  const args = ['start', '--json', '--port', '0', '--data', own.at('data'), ...models];

  const outcome = await runDarkroom(args, { cwd: own.cwd, env: { ...own.env, ...SECRET, ...env } });

  expect(outcome).toMatchObject({ code: 1, stdout: '' });
  expect(complaintsIn(outcome)).toEqual([expect.stringMatching(line)]);
  expect(await processesIn(own.path)).toEqual([]);
}

describe('darkroom migrate', () => {
  it('prints a login per role as NAME=value lines and all else on stderr', async () => {
    const { code, stdout, stderr } = await migrateStudio();

    expect(code).toBe(0);
    expect(stderr).toMatch(/applied \d+_init/);
    const lines = stdout.trimEnd().split('\n');
    settings = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
    expect(Object.keys(settings)).toEqual(SETTINGS);
    const users = Object.values(settings).map((url) => new URL(url).username);
    expect(new Set(users)).toEqual(
      new Set(['darkroom_app', 'darkroom_auth', 'darkroom_dispatcher', 'darkroom_system']),
    );
  });

  it('run again changes nothing, says so, and leaves the passwords that are in use', async () => {
    const { code, stdout, stderr } = await migrateStudio();

    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toMatch(/the schema was up to date/);
    expect(stderr).toMatch(/kept the passwords of .*--reset-passwords/);
    const url = settings['DATABASE_URL'] ?? null;
    expect(await rowsOf(url, 'select current_user as name')).toEqual([{ name: 'darkroom_app' }]);
  });
});

describe('a platform on an external Postgres', () => {
  it('draws, runs no database of its own, and is administered by its environment', async () => {
    const env = { ...settings, ...SECRET };
    await using platform = await startPlatform(sandbox, ['--data', sandbox.at('data'), ...models], env);
    const { ready } = platform;

    const { jobId } = await draw(sandbox, ready, ['a red apple', '--steps', '2']);
    const tenant = await runJson<{ tenantId: string }>(sandbox, ['tenant', 'create', 'House'], env);
    const key = ['key', 'create', '--tenant', tenant.tenantId];
    const { apiKey } = await runJson<{ apiKey: string }>(sandbox, key, env);

    expect(ready.databaseUrl).toBeNull();
    const jobs = await rowsOf(adminOf('studio'), 'select id, state from job');
    expect(jobs).toEqual([{ id: jobId, state: 'SUCCEEDED' }]);
    const viewer = await ask({ api: ready.api, apiKey }, '{ viewer { tenant { id } } }');
    expect(viewer).toEqual({ viewer: { tenant: { id: tenant.tenantId } } });

    expect(await platform.end('SIGTERM')).toMatchObject({ code: 0 });
    expect(await processesIn(sandbox.at('data'))).toEqual([]);
  });
});

describe('nodes that an operator has added', () => {
  const env = () => ({ ...settings, ...SECRET });
  const start = (...args: readonly string[]) =>
    startPart(sandbox, ['--data', sandbox.at('fleet'), ...models, ...args], env());
  const node = <T>(...args: readonly string[]) => runJson<T>(sandbox, ['node', ...args], env());

  it('are used in place of one of our own, from `node add` to `node remove`', async () => {
    await using external = startDarkroom(['node', '--json', ...models], sandbox);
    const { node: address } = JSON.parse(await external.line('stdout', /./)) as { node: string };

    const added = await node<object>('add', address, '--name', 'gpu-1');
    expect(added).toEqual({ name: 'gpu-1', address, models: expect.arrayContaining(['pico.unet_cfg']) });
    await using platform = await start();
    expect(platform.ready).toMatchObject({ node: null, databaseUrl: null });
    const { api, apiKey } = platform.ready;
    const drawn = await draw(sandbox, { api: api ?? '', apiKey: apiKey ?? '' }, ['a dog', '--steps', '3']);
    expect(drawn.credits).toBe(3);
    expect(await node('list')).toEqual([
      {
        name: 'gpu-1',
        address,
        state: 'READY',
        isHosted: false,
        holder: expect.stringMatching(/^dsp_/),
        engines: ['pico:1'],
        models: expect.arrayContaining(['pico.unet_cfg', 'pico.vae_decoder']),
      },
    ]);

    expect(await node('remove', 'gpu-1')).toEqual({ name: 'gpu-1' });
    expect(await node('list')).toEqual([]);
    expect(await platform.end('SIGTERM')).toMatchObject({ code: 0 });
  });

  it('are refused while nobody answers there, unless that is forced', async () => {
    const add = (...args: readonly string[]) =>
      runDarkroom(['node', 'add', 'grpc://127.0.0.1:9', ...args], {
        cwd: sandbox.cwd,
        env: { ...sandbox.env, ...env() },
      });

    const refused = await add();
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(complaintsIn(refused)).toEqual([expect.stringMatching(/^No node is ready at .*--force/)]);
    expect(await node('list')).toEqual([]);
    expect(await add('--force', '--json')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('null'),
    });
    expect(await node('list')).toMatchObject([{ name: '127.0.0.1:9', state: 'JOINING' }]);
    await node('remove', '127.0.0.1:9');
  });
});

describe('processes that each have the logins of their own role and no other', () => {
  const only = (...names: readonly string[]) => ({
    ...SECRET,
    ...Object.fromEntries(
      names.map((name) => [`DATABASE_${name}URL`, settings[`DATABASE_${name}URL`] ?? '']),
    ),
  });
  const start = (roles: string, logins: readonly string[]) =>
    startPart(sandbox, ['--roles', roles, '--data', sandbox.at('split'), ...models], only(...logins));

  it('draw together, and the API knows no tenant of its own', async () => {
    await using dispatcher = await start('dispatcher', ['DISPATCHER_', 'LISTEN_']);
    await using background = await start('background', ['SYSTEM_']);
    await using api = await start('api', ['', 'AUTH_', 'LISTEN_']);
    const env = only('SYSTEM_');
    const { tenantId } = await runJson<{ tenantId: string }>(sandbox, ['tenant', 'create', 'Split'], env);
    const { apiKey } = await runJson<{ apiKey: string }>(
      sandbox,
      ['key', 'create', '--tenant', tenantId],
      env,
    );

    expect(dispatcher.ready).toMatchObject({ api: null, apiKey: null, tenantId: null });
    expect(background.ready).toMatchObject({ apiKey: null, tenantId: expect.stringMatching(/^ten_/) });
    expect(api.ready).toMatchObject({ api: expect.any(String), apiKey: null, tenantId: null });
    const drawn = await draw(sandbox, { api: api.ready.api ?? '', apiKey }, ['a dog', '--steps', '2']);
    expect(drawn.credits).toBe(2);
  });

  it('keep no login of another role that they were given: an API is done with the system when it is ready', async () => {
    const args = ['--roles', 'api', '--data', sandbox.at('split'), ...models];
    await using api = await startPart(sandbox, args, { ...settings, ...SECRET });

    expect(api.ready).toMatchObject({ apiKey: expect.any(String), tenantId: expect.stringMatching(/^ten_/) });
    const connected = `select distinct usename as login from pg_stat_activity
      where datname = 'studio' and usename <> current_user order by 1`;
    const logins = async () =>
      (await rowsOf<{ login: string }>(adminOf('studio'), connected)).map((row) => row.login);
    // Closed by the process, and then by the server when it comes to it.
    await expect.poll(logins, { timeout: 10_000 }).toEqual(['darkroom_app']);
  });

  it('are refused without one, with the setting and the role that needs it', async () => {
    const { DATABASE_AUTH_URL: _, ...without } = settings;
    await expectRefusal(
      { ...without },
      /logins of the roles .*: DATABASE_AUTH_URL missing, which the role api needs.*darkroom migrate/,
    );
  });
});

describe('an ephemeral platform on an external Postgres', () => {
  it('leaves no key in force behind', async () => {
    const env = { ...settings, ...SECRET };
    const inForce = () =>
      rowsOf<{ prefix: string }>(adminOf('studio'), `select last4 from api_key where revoked_at is null`);
    const before = await inForce();
    await using platform = await startPart(sandbox, ['--ephemeral', '--no-node', ...models], env);
    expect(await inForce()).toHaveLength(before.length + 1);

    expect(await platform.end('SIGTERM')).toMatchObject({ code: 0 });

    expect(await inForce()).toEqual(before);
  });
});

describe.concurrent('an external Postgres is refused', () => {
  it('while the schema is missing, with the command that makes it', async () => {
    const untouched = Object.entries(settings).map(([name, url]) => [
      name,
      databaseUrl(url, { database: 'untouched' }),
    ]);

    await expectRefusal(Object.fromEntries(untouched), /never migrated: run darkroom migrate/);
  });

  it('without the secret that its processes share', async () => {
    await expectRefusal({ ...settings, DARKROOM_SECRET: '' }, /needs DARKROOM_SECRET/);
  });

  it('with a login that no row-level security holds', async () => {
    const env = { ...settings, DATABASE_URL: adminOf('studio') };

    await expectRefusal(env, /the login of DATABASE_URL is or may become the superuser/);
  });

  it('when the server is away, with the setting at fault', async () => {
    const away = (settings['DATABASE_URL'] ?? '').replace(/:\d+\//, ':9/');

    await expectRefusal({ ...settings, DATABASE_URL: away }, /DATABASE_URL cannot be reached/);
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/kernel/clock.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { StartError } from '../../src/kernel/errors.ts';
import { connect } from '../../src/platform/db/connect.ts';
import { findBinaries } from '../../src/platform/postgres/binaries.ts';
import { prepareDataFolder } from '../../src/platform/postgres/data-folder.ts';
import { waitForFreeFolder } from '../../src/platform/postgres/folder-lock.ts';
import type { EmbeddedPostgres, PostgresOptions } from '../../src/platform/postgres/start-postgres.ts';
import { startPostgres } from '../../src/platform/postgres/start-postgres.ts';
import { findLauncher } from '../../src/platform/postgres/unprivileged.ts';
import type { Guardian } from '../../src/platform/process/guardian.ts';
import { startGuardian } from '../../src/platform/process/guardian.ts';

const logger = pino({ level: 'silent' });
const superuserPassword = "it's a p@ssword / with ? signs";

let root: string;
let guardian: Guardian;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'darkroom-embedded-'));
  guardian = await startGuardian({ logger });
});

afterAll(async () => {
  await guardian[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

const start = (dataDirectory: string, options: Partial<PostgresOptions> = {}) =>
  startPostgres({
    dataDirectory,
    port: 0,
    superuserPassword,
    isEphemeral: true,
    guardian,
    logger,
    ...options,
  });

async function ask<T extends object>({ adminUrl }: EmbeddedPostgres, sql: string): Promise<readonly T[]> {
  await using connection = await connect({ url: adminUrl, applicationName: 'test' });
  // Awaited here, for the connection closes when this function ends.
  return await connection.query<T>(sql);
}

/** What a refused start says; fails when it starts, or when it fails in another way. */
async function refusal(starting: Promise<EmbeddedPostgres>): Promise<string> {
  const error = await starting.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StartError);
  return error instanceof Error ? error.message : '';
}

const isPostgres = async (pid: number) =>
  (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes('postgres');

describe('the embedded Postgres', () => {
  it('keeps its data over a stop and a start, below a folder that only its owner may enter', async () => {
    const closed = path.join(root, 'closed');
    await mkdir(closed);
    await chmod(closed, 0o700);
    const directory = path.join(closed, 'postgres');
    {
      await using first = await start(directory);
      await ask(first, 'create table kept (word text)');
      await ask(first, `insert into kept values ('here')`);
    }

    await using second = await start(directory);

    expect(await ask(second, 'select word from kept')).toEqual([{ word: 'here' }]);
    expect(await readdir(closed)).toEqual(['postgres']);
  });

  it('leaves no process behind when it is stopped', async () => {
    const postgres = await start(path.join(root, 'stopped'));
    expect(await isPostgres(postgres.pid)).toBe(true);

    await postgres[Symbol.asyncDispose]();

    expect(await isPostgres(postgres.pid)).toBe(false);
    expect(await postgres.exited).toEqual({ code: 0, signal: null });
  });

  it('recovers what was committed when the server is killed, and starts at once on its folder and port', async () => {
    const directory = path.join(root, 'killed');
    const killed = await start(directory);
    await ask(killed, 'create table kept (word text)');
    await ask(killed, `insert into kept values ('committed')`);
    process.kill(killed.pid, 'SIGKILL');
    await killed.exited;

    await using recovered = await start(directory, { port: killed.port });

    expect(recovered.port).toBe(killed.port);
    expect(await ask(recovered, 'select word from kept')).toEqual([{ word: 'committed' }]);
  });

  it('is not held up by a lock file whose process number another program has now', async () => {
    const directory = path.join(root, 'stale');
    await (await start(directory))[Symbol.asyncDispose]();
    await writeFile(path.join(directory, 'postmaster.pid'), `${process.pid}\n${directory}\n`);

    await using postgres = await start(directory);

    expect(await ask(postgres, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('lets nobody in without the password, and listens on the loopback only', async () => {
    await using postgres = await start(path.join(root, 'guarded'));
    const url = new URL(postgres.adminUrl);
    url.password = 'guess';

    await expect(connect({ url: url.href, applicationName: 'test' })).rejects.toMatchObject({
      code: '28P01',
    });
    expect(await ask(postgres, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    const rules = await ask<{ method: string }>(
      postgres,
      'select distinct auth_method as method from pg_hba_file_rules',
    );
    expect(rules).toEqual([{ method: 'scram-sha-256' }]);
  });

  it('holds text as UTF-8 sorted by bytes, and flushes what it commits unless it is ephemeral', async () => {
    await using postgres = await start(path.join(root, 'durable'), { isEphemeral: false });

    const [settings] = await ask(
      postgres,
      `select current_setting('server_encoding') as encoding, datcollate as collation,
              current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous
         from pg_database where datname = current_database()`,
    );
    expect(settings).toEqual({ encoding: 'UTF8', collation: 'C', fsync: 'on', synchronous: 'on' });
  });
});

const moduleAt = (file: string) =>
  JSON.stringify(new URL(`../../src/platform/${file}`, import.meta.url).href);

// A process that holds a Postgres as `darkroom start` does, and names its process.
const HOLDER = `
import { startPostgres } from ${moduleAt('postgres/start-postgres.ts')};
import { startGuardian } from ${moduleAt('process/guardian.ts')};
const [dataDirectory, superuserPassword, ephemeral] = process.argv.slice(2);
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const guardian = await startGuardian({ logger });
if (ephemeral === 'ephemeral') guardian.watchDirectory(dataDirectory);
const postgres = await startPostgres({ dataDirectory, superuserPassword, port: 0, isEphemeral: true, guardian, logger });
console.log(postgres.pid);
setInterval(() => {}, 1000);
`;

async function holdElsewhere(dataDirectory: string, keeps: 'ephemeral' | 'kept') {
  const program = path.join(root, 'holder.mjs');
  await writeFile(program, HOLDER);
  const args = [program, dataDirectory, superuserPassword, keeps];
  const holder = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: holder.stdout }), 'line');
  return { kill: () => holder.kill('SIGKILL'), pid: Number(line) };
}

describe('when the process that holds it is killed', () => {
  it('its Postgres ends and its ephemeral data is gone', async () => {
    const directory = path.join(root, 'orphaned');
    const held = await holdElsewhere(directory, 'ephemeral');

    held.kill();

    await expect.poll(() => isPostgres(held.pid), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => readdir(root), { timeout: 10_000 }).not.toContain('orphaned');
  });

  it('the next start on the folder waits for the old Postgres to leave and then serves', async () => {
    const directory = path.join(root, 'inherited');
    const held = await holdElsewhere(directory, 'kept');

    held.kill();
    await using postgres = await start(directory);

    expect(await isPostgres(held.pid)).toBe(false);
    expect(await ask(postgres, 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});

it('a folder is free once the Postgres that runs on it has ended, and is waited for until then', async () => {
  const dataDirectory = path.join(root, 'awaited');
  const running = await start(dataDirectory);
  let waits = 0;
  const clock: Clock = {
    ...systemClock,
    async sleep() {
      waits += 1;
      await running[Symbol.asyncDispose]();
    },
  };

  await waitForFreeFolder({ dataDirectory, clock, logger });

  expect([waits, await isPostgres(running.pid)]).toEqual([1, false]);
});

describe('a start that cannot succeed says what to do and leaves nothing', () => {
  it('when the folder is in use by a running Postgres', async () => {
    const directory = path.join(root, 'used');
    await using running = await start(directory);

    const message = await refusal(start(directory, { folderWaitMs: 0 }));

    expect(message).toContain(`in use by Postgres process ${running.pid}`);
    expect(await ask(running, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('when the folder cannot be written', async () => {
    const file = path.join(root, 'file');
    await writeFile(file, '');

    expect(await refusal(start(path.join(file, 'postgres')))).toContain('cannot be written');
  });

  it('when the folder holds something else, which stays as it is', async () => {
    const directory = path.join(root, 'photos');
    await mkdir(directory);
    await writeFile(path.join(directory, 'cat.png'), 'a cat');

    expect(await refusal(start(directory))).toContain('cat.png');
    expect(await readdir(directory)).toEqual(['cat.png']);
  });

  it('when the folder was made by another major version', async () => {
    const directory = path.join(root, 'old');
    await mkdir(directory);
    await writeFile(path.join(directory, 'PG_VERSION'), '15\n');

    expect(await refusal(start(directory))).toContain('made by Postgres 15');
  });

  it('when the secret is not the one that the folder was made with', async () => {
    const directory = path.join(root, 'secret');
    await (await start(directory))[Symbol.asyncDispose]();

    expect(await refusal(start(directory, { superuserPassword: 'another' }))).toContain('DARKROOM_SECRET');
    await using rightful = await start(directory);
    expect(rightful.port).toBeGreaterThan(0);
  });

  it('when the port is taken', async () => {
    await using running = await start(path.join(root, 'first'));

    expect(await refusal(start(path.join(root, 'second'), { port: running.port }))).toContain(
      `Port ${running.port} is in use`,
    );
    expect(await readdir(root)).not.toContain('second');
  });

  it('when initdb fails', async () => {
    const dataDirectory = path.join(root, 'impossible');
    const binaries = { ...(await findBinaries(path.join(root, 'links'))), initdb: '/bin/false' };
    const launcher = await findLauncher({ uid: process.getuid?.() });
    const preparing = prepareDataFolder({
      dataDirectory,
      superuserPassword,
      isEphemeral: true,
      binaries,
      launcher,
      guardian,
      logger,
      clock: systemClock,
    });

    await expect(preparing).rejects.toThrow(/initdb ended with 1/);
    expect((await readdir(root)).filter((name) => name.startsWith('impossible'))).toEqual([]);
  });

  it('when this is root and the machine refuses user namespaces', async () => {
    await expect(findLauncher({ uid: 0, unshare: 'false' })).rejects.toThrow(
      /Start darkroom as a user other than root/,
    );
  });

  it('but without root no namespace is needed', async () => {
    const launcher = await findLauncher({ uid: 1000, unshare: 'false' });

    expect(launcher.command('postgres', ['-D', 'x'])).toEqual(['postgres', ['-D', 'x']]);
  });
});

it('two starts at once on a new folder: one serves it, the other is told so', async () => {
  const directory = path.join(root, 'contested');

  const outcomes = await Promise.allSettled([
    start(directory, { folderWaitMs: 0 }),
    start(directory, { folderWaitMs: 0 }),
  ]);

  const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  for (const postgres of started) await postgres[Symbol.asyncDispose]();
  expect(started).toHaveLength(1);
  expect(refused).toEqual([expect.any(StartError)]);
  expect((await readdir(root)).filter((name) => name.startsWith('contested'))).toEqual(['contested']);
});

it('library links are complete, and finding them again changes nothing', async () => {
  const elsewhere = path.join(root, 'links');
  const found = await Promise.all([findBinaries(elsewhere), findBinaries(elsewhere)]);

  expect(found[0]).toEqual(found[1]);
  expect(found[0].major).toBeGreaterThanOrEqual(18);
});

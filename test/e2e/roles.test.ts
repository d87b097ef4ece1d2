import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyPico } from '../support/models.ts';
import type { ReadyLine } from '../support/platform.ts';
import { ask, draw, rowsOf, runJson } from '../support/platform.ts';
import { complaintsIn, runDarkroom } from '../support/processes.ts';
import { familyOf, processesIn, survivorsOf } from '../support/process-table.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { createSandbox } from '../support/sandbox.ts';
import type { Part } from '../support/split.ts';
import { apiOf, occupy, serverOf, startPart } from '../support/split.ts';

// So long that it still runs when it has been seen to run.
const LONG_JOB = { prompt: 'a red apple', steps: 100, imageCount: 2, seed: '7', previewEverySteps: 0 };
const SOON = { timeout: 60_000, interval: 50 };
const APPLE = ['a red apple', '--seed', '7', '--steps', '4'];

const stack = new AsyncDisposableStack();
let sandbox: Sandbox;
let data: readonly string[];
let host: Part;
let joiner: Part;
let api: Part;
let dispatcher: Part;
/** The API, as clients need it. */
let door: ReadyLine;

const start = async (roles: string, ...more: readonly string[]): Promise<Part> =>
  stack.use(await startPart(sandbox, ['--roles', roles, ...data, ...more]));

beforeAll(async () => {
  sandbox = stack.use(await createSandbox());
  data = ['--data', sandbox.at('data'), '--models', await copyPico(sandbox.at('models'))];
  const [one, other] = await Promise.all([start('background'), start('background')]);
  // One of the two that were started at the same moment hosts; the other one is not needed any more.
  const isHost = await serverOf(one, 'node').then(
    () => true,
    () => false,
  );
  [host, joiner] = isHost ? [one, other] : [other, one];
  [api, dispatcher] = await Promise.all([start('api'), start('dispatcher')]);
  door = apiOf(api);
});

afterAll(() => stack.disposeAsync());

async function submit(): Promise<string> {
  const { jobSubmit } = await ask<{ jobSubmit: { job: { id: string } } }>(
    door,
    'mutation ($input: JobSubmitInput!) { jobSubmit(input: $input) { job { id } } }',
    { input: LONG_JOB },
  );
  return jobSubmit.job.id;
}

const stateOf = async (id: string) =>
  (
    await ask<{ job: { state: string; step: number } }>(
      door,
      'query ($id: ID!) { job(id: $id) { state step } }',
      { id },
    )
  ).job;

async function submitAndSeeRun(): Promise<string> {
  const id = await submit();
  // Its row follows with the heartbeat, and by then a fast machine has drawn it.
  const told = 'select 1 from job_progress where job_id = $1 and step > 2 limit 1';
  await expect.poll(() => rowsOf(door.databaseUrl, told, [id]), SOON).toHaveLength(1);
  return id;
}

/** What the database holds of a job that has ended well: one of everything. */
async function expectOneOfEverything(id: string, counts: { recoveries: number; attempts: number }) {
  const of = (sql: string) => rowsOf(door.databaseUrl, sql, [id]);
  expect(await of('select state, recoveries, attempts from job where id = $1')).toEqual([
    { state: 'SUCCEEDED', ...counts },
  ]);
  expect(await of('select position from image where job_id = $1 order by position')).toEqual([
    { position: 0 },
    { position: 1 },
  ]);
  expect(await of('select kind, credits from usage_entry where job_id = $1')).toEqual([
    { kind: 'USAGE', credits: -LONG_JOB.steps * LONG_JOB.imageCount },
  ]);
  const terminal = `select type from event where job_id = $1 and type in ('COMPLETED', 'FAILED', 'CANCELLED')`;
  expect(await of(terminal)).toEqual([{ type: 'COMPLETED' }]);
}

/** One request as a client sees it: its status and the first error's code. */
async function knock(): Promise<{ status: number; code: string | null; retryAfterMs: number | null }> {
  const response = await fetch(door.api, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${door.apiKey}` },
    body: JSON.stringify({ query: '{ viewer { tenant { id } } }' }),
  });
  const { errors = [] } = (await response.json()) as {
    errors?: { extensions: { code: string; retryAfterMs?: number } }[];
  };
  const extensions = errors[0]?.extensions;
  return {
    status: response.status,
    code: extensions?.code ?? null,
    retryAfterMs: extensions?.retryAfterMs ?? null,
  };
}

/** Clients that submit one job after the other, and what came of it. */
function askAllTheTime(): AsyncDisposable & {
  readonly accepted: readonly string[];
  /** Of answers that were errors. */
  readonly codes: ReadonlySet<string>;
} {
  const accepted: string[] = [];
  const codes = new Set<string>();
  let isOver = false;
  const query = 'mutation ($input: JobSubmitInput!) { jobSubmit(input: $input) { job { id } } }';
  const clients = Array.from({ length: 3 }, async () => {
    while (!isOver) {
      const response = await fetch(door.api, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${door.apiKey}` },
        body: JSON.stringify({ query, variables: { input: { ...LONG_JOB, steps: 1 } } }),
      });
      const { data: answer, errors } = (await response.json()) as {
        data?: { jobSubmit: { job: { id: string } } } | null;
        errors?: { extensions: { code: string } }[];
      };
      if (answer && !errors) accepted.push(answer.jobSubmit.job.id);
      for (const { extensions } of errors ?? []) codes.add(extensions.code);
    }
  });
  return {
    accepted,
    codes,
    async [Symbol.asyncDispose]() {
      isOver = true;
      await Promise.all(clients);
    },
  };
}

describe('processes on one data folder', () => {
  it('that start at the same moment share what one of them hosts', async () => {
    const { node, databaseUrl, tenantId, dataDir } = host.ready;

    expect(dataDir).toBe(sandbox.at('data'));
    for (const part of [joiner, api, dispatcher]) {
      expect(part.ready).toMatchObject({ node, databaseUrl, dataDir });
    }
    // A dispatcher has no login that could ask.
    expect([joiner, api, dispatcher].map(({ ready }) => ready.tenantId)).toEqual([tenantId, tenantId, null]);
    const families = await Promise.all([host, joiner, api, dispatcher].map(({ pid }) => familyOf(pid)));
    const servers = families.flat().filter(({ command }) => /\/postgres -D | node --json /.test(command));
    expect(servers).toHaveLength(2);
    expect(await joiner.end('SIGTERM')).toMatchObject({ code: 0 });
    await serverOf(host, 'node');
  });

  it('print their line whatever their roles are, without an API where they have none', async () => {
    const names = ['api,dispatcher', 'api,background', 'dispatcher,background', 'api,dispatcher,background'];
    const parts = await Promise.all(names.map((roles) => start(roles)));

    const all = [host, api, dispatcher, ...parts];
    const has = (role: string) =>
      [['background', 'api', 'dispatcher'], names].flat().map((name) => name.includes(role));
    expect(all.map(({ ready }) => ready.api !== null)).toEqual(has('api'));
    expect(all.map(({ ready }) => ready.ws !== null)).toEqual(has('api'));
    const keys = new Set(all.flatMap(({ ready }) => ready.apiKey ?? []));
    expect([...keys]).toEqual([door.apiKey]);
    const ends = await Promise.all(parts.map((part) => part.end('SIGTERM')));
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  });

  it('draw through an API that neither hosts nor dispatches', async () => {
    expect(await draw(sandbox, door, APPLE)).toMatchObject({ steps: 4, credits: 4 });
  });

  it('are joined by a demo, which draws and leaves the others alone', async () => {
    const out = ['--out', sandbox.at('demo.png')];
    expect(await runJson(sandbox, ['demo', ...APPLE, ...data, ...out])).toMatchObject({ credits: 4 });
    expect((await knock()).code).toBeNull();
  });

  it('are not joined by one that was given another secret or another database', async () => {
    const refuse = async (env: Record<string, string>) => {
      const args = ['start', '--json', '--port', '0', ...data];
      const outcome = await runDarkroom(args, { cwd: sandbox.cwd, env: { ...sandbox.env, ...env } });
      expect(outcome).toMatchObject({ code: 1, stdout: '' });
      return complaintsIn(outcome);
    };
    const elsewhere = 'postgres://somebody@127.0.0.1:9/else';
    const logins = ['', '_AUTH', '_DISPATCHER', '_SYSTEM', '_LISTEN'].map((name) => `DATABASE${name}_URL`);

    expect(await refuse({ DARKROOM_SECRET: 'x'.repeat(40) })).toEqual([
      expect.stringMatching(/^Process \d+ runs on .* with another DARKROOM_SECRET/),
    ]);
    expect(await refuse(Object.fromEntries(logins.map((name) => [name, elsewhere])))).toEqual([
      expect.stringMatching(/^Process \d+ runs on .* with another DATABASE_URL/),
    ]);
  });
});

describe('an API', () => {
  it.each(['submit.before-commit', 'submit.committed'])(
    'that dies at %s has made one job, or none, for a client that asks again',
    async (point) => {
      await using dying = await startPart(sandbox, ['--roles', 'api', ...data], {
        DARKROOM_FAULT: `${point}:kill`,
      });
      const submitTo = (at: ReadyLine) =>
        ask<{ jobSubmit: { job: { id: string } } }>(
          at,
          'mutation ($input: JobSubmitInput!) { jobSubmit(input: $input) { job { id } } }',
          { input: { ...LONG_JOB, steps: 2, idempotencyKey: `once at ${point}` } },
        );

      await expect(submitTo(apiOf(dying))).rejects.toThrow('fetch failed');
      expect(await dying.ended).toMatchObject({ signal: 'SIGKILL', stderr: expect.stringContaining(point) });
      const made = 'select job_id as id from idempotency_record where key = $1';
      const before = await rowsOf<{ id: string }>(door.databaseUrl, made, [`once at ${point}`]);
      const { jobSubmit } = await submitTo(door);

      expect(before.map(({ id }) => id)).toEqual(point === 'submit.committed' ? [jobSubmit.job.id] : []);
      const rows = await rowsOf(door.databaseUrl, made, [`once at ${point}`]);
      expect(rows).toEqual([{ id: jobSubmit.job.id }]);
      await expect.poll(async () => (await stateOf(jobSubmit.job.id)).state, SOON).toBe('SUCCEEDED');
    },
  );

  it('that is told to end under load answers no request with an error, and all that was asked for is made once', async () => {
    const leaving = await start('api,dispatcher');
    const accepted = new Map<string, string>();
    const submitTo = async (at: ReadyLine, idempotencyKey: string) => {
      const { jobSubmit } = await ask<{ jobSubmit: { job: { id: string } } }>(
        at,
        'mutation ($input: JobSubmitInput!) { jobSubmit(input: $input) { job { id } } }',
        { input: { ...LONG_JOB, steps: 2, idempotencyKey } },
      );
      accepted.set(idempotencyKey, jobSubmit.job.id);
    };
    const clients = Array.from({ length: 8 }, async (_, client) => {
      for (let turn = 0; ; turn += 1) {
        const key = `client ${client} turn ${turn}`;
        try {
          await submitTo(apiOf(leaving), key);
        } catch (error) {
          // An answer may not be an error. No answer is what a client sees of a process that has left,
          // refused or cut off between two requests: it asks the next one.
          if (!(error instanceof TypeError)) throw error;
          return submitTo(door, key);
        }
      }
    });
    await expect.poll(() => accepted.size, SOON).toBeGreaterThan(20);

    expect(await leaving.end('SIGTERM')).toMatchObject({ code: 0, signal: null });
    await Promise.all(clients);

    const ids = [...accepted.values()];
    const open = `select id from job where id = any($1) and state <> 'SUCCEEDED'`;
    await expect.poll(() => rowsOf(door.databaseUrl, open, [ids]), SOON).toEqual([]);
    const [sums] = await rowsOf(
      door.databaseUrl,
      `select count(*)::int as jobs, sum(recoveries)::int as recoveries, sum(attempts)::int as attempts
       from job join idempotency_record i on i.job_id = job.id where i.key like 'client %'`,
    );
    expect(sums).toEqual({ jobs: ids.length, recoveries: 0, attempts: 0 });
  });
});

describe('a dispatcher', () => {
  it('that is killed in the middle of a job loses it to another one, and the job is made once', async () => {
    const next = await start('dispatcher');
    const id = await submitAndSeeRun();

    dispatcher.signal('SIGKILL');

    await expect.poll(async () => (await stateOf(id)).state, SOON).toBe('SUCCEEDED');
    await expectOneOfEverything(id, { recoveries: 1, attempts: 0 });
    dispatcher = next;
  });

  it('that is paused beyond its lease and wakes up writes nothing more', async () => {
    const next = await start('dispatcher');
    const id = await submitAndSeeRun();

    dispatcher.signal('SIGSTOP');
    await expect.poll(async () => (await stateOf(id)).state, SOON).toBe('SUCCEEDED');
    const before = await rowsOf(door.databaseUrl, 'select * from event where job_id = $1', [id]);
    dispatcher.signal('SIGCONT');

    // What it wakes up to it has done by the time it has drained.
    expect(await dispatcher.end('SIGTERM')).toMatchObject({ code: 0 });
    expect(await rowsOf(door.databaseUrl, 'select * from event where job_id = $1', [id])).toEqual(before);
    await expectOneOfEverything(id, { recoveries: 1, attempts: 0 });
    dispatcher = next;
  });

  it('that is told to end puts its job back at once, and told twice it does so within a second', async () => {
    const next = await start('dispatcher');
    const id = await submitAndSeeRun();
    // Stopped for good, so that the step in flight cannot end and with it the drain.
    process.kill(await serverOf(host, 'node'), 'SIGSTOP');

    dispatcher.signal('SIGTERM');
    await dispatcher.line('stderr', /stopping/);
    expect(await dispatcher.end('SIGTERM')).toMatchObject({ code: 130 });

    const row = 'select state, holder, recoveries from job where id = $1';
    expect(await rowsOf(door.databaseUrl, row, [id])).toEqual([
      { state: 'QUEUED', holder: null, recoveries: 0 },
    ]);
    process.kill(await serverOf(host, 'node'), 'SIGCONT');
    await expect.poll(async () => (await stateOf(id)).state, SOON).toBe('SUCCEEDED');
    await expectOneOfEverything(id, { recoveries: 0, attempts: 0 });
    dispatcher = next;
  });
});

describe('the host', () => {
  it.each(['postgres', 'node'] as const)(
    'starts %s again where it was, and a job in its middle ends once',
    async (server) => {
      const id = await submitAndSeeRun();
      const before = await serverOf(host, server);

      process.kill(before, 'SIGKILL');

      await expect.poll(() => serverOf(host, server).catch(() => before), SOON).not.toBe(before);
      await expect.poll(() => stateOf(id).catch(() => null), SOON).toMatchObject({ state: 'SUCCEEDED' });
      const [row] = await rowsOf<{ attempts: number; recoveries: number }>(
        door.databaseUrl,
        'select attempts, recoveries from job where id = $1',
        [id],
      );
      // A node that dies is no attempt; a database that does is nothing at all, but a lease may run out meanwhile.
      if (server === 'node') expect(row).toEqual({ attempts: 0, recoveries: 1 });
      await expectOneOfEverything(id, row ?? { attempts: 0, recoveries: 0 });
    },
  );

  it('keeps every job that was acknowledged while Postgres is killed, and no client sees a fault of ours', async () => {
    const accepted: string[] = [];
    {
      await using load = askAllTheTime();
      await expect.poll(() => load.accepted.length, SOON).toBeGreaterThan(5);
      process.kill(await serverOf(host, 'postgres'), 'SIGKILL');
      await expect.poll(() => load.codes.size, SOON).toBeGreaterThan(0);
      const answered = load.accepted.length;
      await expect.poll(() => load.accepted.length, SOON).toBeGreaterThan(answered + 5);
      expect([...load.codes]).toEqual(['UNAVAILABLE']);
      accepted.push(...load.accepted);
    }

    const lost = `select id from unnest($1::text[]) as asked (id) where not exists (select from job where job.id = asked.id)`;
    expect(await rowsOf(door.databaseUrl, lost, [accepted])).toEqual([]);
    const open = `select id from job where state in ('QUEUED', 'RUNNING')`;
    await expect.poll(() => rowsOf(door.databaseUrl, open), SOON).toEqual([]);
  });

  it('that is killed leaves the others unavailable until another process hosts', async () => {
    const family = await familyOf(host.pid);
    const id = await submitAndSeeRun();

    host.signal('SIGKILL');
    await expect.poll(() => survivorsOf(family), SOON).toEqual([]);
    const answers = await Promise.all(Array.from({ length: 5 }, knock));
    for (const answer of answers) {
      expect(answer).toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) });
    }
    host = await start('background');

    expect(host.ready).toMatchObject({ node: door.node, databaseUrl: door.databaseUrl });
    await expect.poll(async () => (await knock()).code, SOON).toBeNull();
    await expect.poll(async () => (await stateOf(id)).state, SOON).toBe('SUCCEEDED');
    expect(await draw(sandbox, door, APPLE)).toMatchObject({ credits: 4 });
  });

  it('that comes back elsewhere makes the others end with a line that says so', async () => {
    await host.end('SIGTERM');
    await using _ = await occupy(Number(new URL(door.databaseUrl ?? '').port));

    host = await start('background');
    const ends = await Promise.all([api.ended, dispatcher.ended]);

    for (const end of ends) {
      expect(end.code).toBe(1);
      expect(end.stderr).toMatch(/came back under another address .*Start this process again/);
    }
    expect(await host.end('SIGTERM')).toMatchObject({ code: 0 });
    expect(await processesIn(sandbox.path)).toEqual([]);
  });
});

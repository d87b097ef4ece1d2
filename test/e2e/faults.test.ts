import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyPico } from '../support/models.ts';
import { runDarkroom, startDarkroom } from '../support/processes.ts';
import { familyOf, survivorsOf } from '../support/process-table.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { createSandbox } from '../support/sandbox.ts';

// A bug in a process: at once when it has begun, or when it is told to have one.
const BUGS = {
  atOnce: `process.on('newListener', (name) => {
    if (name === 'uncaughtException') setImmediate(() => { throw new Error('a bug'); }); });`,
  thrown: `process.on('SIGUSR2', () => { throw new Error('a bug'); });`,
  rejected: `process.on('SIGUSR2', () => void Promise.reject(new Error('a bug')));`,
};

const SOON = { timeout: 30_000 };

let sandbox: Sandbox;
let models: readonly string[];

beforeAll(async () => {
  sandbox = await createSandbox();
  models = ['--models', await copyPico(sandbox.at('models'))];
});

afterAll(() => sandbox[Symbol.asyncDispose]());

async function withBug(bug: keyof typeof BUGS) {
  const file = sandbox.at(`${bug}.mjs`);
  await writeFile(file, BUGS[bug]);
  return { cwd: sandbox.cwd, env: { ...sandbox.env, NODE_OPTIONS: `--import=${file}` } };
}

describe('a fault that nobody caught', () => {
  it('ends a command with one line and status 1, and without a stack', async () => {
    const outcome = await runDarkroom(['key', 'list', '--data', 'nowhere'], await withBug('atOnce'));

    expect(outcome).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'darkroom: a fault of its own ends the command: a bug\n',
    });
  });

  it.each([
    ['thrown', ['--roles', 'api']],
    ['rejected', ['--roles', 'dispatcher']],
    ['thrown', ['--roles', 'background']],
  ] as const)(
    '%s in a process with %j is one fatal line of its log, status 1, and the end of all it started',
    async (bug, roles) => {
      const args = ['start', '--json', '--port', '0', '--ephemeral', ...models, ...roles];
      await using program = startDarkroom(args, await withBug(bug));
      await program.line('stdout', /./);
      const family = await familyOf(program.pid);

      program.signal('SIGUSR2');

      const { code, stderr } = await program.ended;
      const fatal = stderr.split('\n').filter((line) => line.includes('"level":60'));
      expect(code).toBe(1);
      expect(fatal.map((line) => JSON.parse(line) as unknown)).toEqual([
        expect.objectContaining({
          msg: 'a fault that nobody caught ends the process',
          err: expect.objectContaining({ message: 'a bug', stack: expect.stringContaining('at ') }),
        }),
      ]);
      expect(stderr.split('\n').filter((line) => /^\s+at /.test(line))).toEqual([]);
      await expect.poll(() => survivorsOf(family), SOON).toEqual([]);
    },
  );

  it('is one fatal line of a node too', async () => {
    await using node = startDarkroom(['node', '--json', ...models], await withBug('rejected'));
    await node.line('stdout', /./);

    node.signal('SIGUSR2');

    expect(await node.ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/"level":60.*a bug/) });
  });
});

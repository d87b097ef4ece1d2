import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { startChild } from '../../src/platform/process/child.ts';
import { startGuardian } from '../../src/platform/process/guardian.ts';

const logger = pino({ level: 'silent' });

// Says "ready" when it can take signals, so that a test never signals a program that is still loading.
const PROGRAMS = {
  obedient: `process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1000); console.log('ready');`,
  deaf: `process.on('SIGTERM', () => console.log('heard')); setInterval(() => {}, 1000); console.log('ready');`,
  parental: `const { spawn } = require('node:child_process');
    const deaf = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('ready');";
    const child = spawn(process.execPath, ['-e', deaf], { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.once('data', () => console.log('ready ' + child.pid));`,
};

async function startProgram(name: keyof typeof PROGRAMS) {
  const ready = Promise.withResolvers<string>();
  const lines: string[] = [];
  const onLine = (line: string) => {
    lines.push(line);
    if (line.startsWith('ready')) ready.resolve(line);
  };
  const child = await startChild({
    name,
    command: process.execPath,
    args: ['-e', PROGRAMS[name]],
    env: {},
    logger,
    onLine,
  });
  return { child, lines, ready: await ready.promise };
}

/** A zombie counts as gone: whether somebody reaps it is up to the machine. */
async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat === null || stat.charAt(stat.lastIndexOf(')') + 2) === 'Z';
}

const SOON = { timeout: 10_000 };

describe('a child', () => {
  it('ends by its stop signal and tells how', async () => {
    const { child } = await startProgram('obedient');

    expect(await child.stop()).toEqual({ code: 7, signal: null });
    expect(await isGone(child.pid)).toBe(true);
  });

  it('that ignores its stop signal is killed after the grace', async () => {
    const { child, lines } = await startProgram('deaf');

    expect(await child.stop({ graceMs: 200 })).toEqual({ code: null, signal: 'SIGKILL' });
    expect(lines).toContain('heard');
  });

  it('takes its own children with it, even deaf ones', async () => {
    const { child, ready } = await startProgram('parental');

    await child.stop();

    await expect.poll(() => isGone(Number(ready.split(' ')[1])), SOON).toBe(true);
  });

  it('that has ended by itself can still be stopped', async () => {
    const child = await startChild({
      name: 'brief',
      command: process.execPath,
      args: ['-e', ''],
      env: {},
      logger,
    });
    await child.exited;

    expect(await child.stop()).toEqual({ code: 0, signal: null });
  });

  it('sees the environment that it was given and nothing else', async () => {
    const lines: string[] = [];
    await using child = await startChild({
      name: 'env',
      command: '/usr/bin/env',
      args: [],
      env: { ONLY: 'this' },
      logger,
      onLine: (line) => lines.push(line),
    });
    await child.exited;

    expect(lines).toEqual(['ONLY=this']);
  });

  it('that cannot be started rejects with the reason of the system', async () => {
    const options = { name: 'none', command: '/no/such/program', args: [], env: {}, logger };

    await expect(startChild(options)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

const CHILD_MODULE = fileURLToPath(new URL('../../src/platform/process/child.ts', import.meta.url));
const GUARDIAN_MODULE = fileURLToPath(new URL('../../src/platform/process/guardian.ts', import.meta.url));

// A parent as `darkroom start` is one: a guardian, two children that it watches, a directory.
const PARENT = `
import { startChild } from ${JSON.stringify(CHILD_MODULE)};
import { startGuardian } from ${JSON.stringify(GUARDIAN_MODULE)};
const [directory, programs, end] = process.argv.slice(2);
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const guardian = await startGuardian({ logger });
guardian.watchDirectory(directory);
const children = [];
for (const program of JSON.parse(programs)) {
  const ready = Promise.withResolvers();
  const onLine = (line) => line === 'ready' && ready.resolve();
  children.push(await startChild({
    name: 'child', command: process.execPath, args: ['-e', program], env: {}, logger, onLine, guardian, graceMs: 200,
  }));
  await ready.promise;
}
console.log(JSON.stringify({ guardian: guardian.pid, children: children.map(({ pid }) => pid) }));
if (end === 'clean') {
  for (const child of children) await child.stop();
  await guardian[Symbol.asyncDispose]();
} else setInterval(() => {}, 1000);
`;

async function startParent(end: 'clean' | 'never', names: readonly (keyof typeof PROGRAMS)[]) {
  const directory = await mkdtemp(path.join(tmpdir(), 'darkroom-process-'));
  const watched = path.join(directory, 'watched');
  const program = path.join(directory, 'parent.mjs');
  await writeFile(program, PARENT);
  await mkdir(watched);
  await writeFile(path.join(watched, 'file'), 'data');
  const programs = JSON.stringify(names.map((name) => PROGRAMS[name]));
  const parent = spawn(process.execPath, [program, watched, programs, end], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(parent, 'exit');
  const [line] = await once(createInterface({ input: parent.stdout }), 'line');
  const { guardian, children } = JSON.parse(String(line)) as { guardian: number; children: number[] };
  return {
    parent,
    exited,
    watched,
    pids: [guardian, ...children],
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

describe('the guardian', () => {
  it('ends every child, even a deaf one, and removes the directory when the parent is killed', async () => {
    await using family = await startParent('never', ['obedient', 'deaf']);

    family.parent.kill('SIGKILL');

    for (const pid of family.pids) await expect.poll(() => isGone(pid), SOON).toBe(true);
    await expect(access(family.watched)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('outlives signals that are sent to everything', async () => {
    await using family = await startParent('never', ['obedient']);
    const [guardian = 0, ...children] = family.pids;

    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(guardian, signal);
    family.parent.kill('SIGKILL');

    for (const pid of children) await expect.poll(() => isGone(pid), SOON).toBe(true);
  });

  it('leaves no process after a clean end, itself included, and touches nothing that it still watches', async () => {
    await using family = await startParent('clean', ['obedient', 'deaf']);

    expect(await family.exited).toEqual([0, null]);

    for (const pid of family.pids) expect(await isGone(pid)).toBe(true);
    await access(path.join(family.watched, 'file'));
  });

  it('takes no part of the terminal: it leads a session of its own', async () => {
    await using guardian = await startGuardian({ logger });

    const stat = await readFile(`/proc/${guardian.pid}/stat`, 'utf8');
    const [, , processGroup, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    expect([processGroup, session]).toEqual([String(guardian.pid), String(guardian.pid)]);
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createEchoFilter, runChild } from './child.mjs';

const CHILD = new URL('./child.mjs', import.meta.url).href;

// A program that says each signal it gets and ends with 7 when told to stop.
const PROGRAM = `
  setInterval(() => {}, 1000);
  process.on('SIGINT', () => console.log('SIGINT'));
  process.on('SIGTERM', () => { console.log('SIGTERM'); process.exit(7); });
  console.log(process.pid);
`;

/** Starts a process that runs \`PROGRAM\` as the bootstrap does, and hands out the program's lines. */
async function startOuter() {
  const script = `
    import { endAs, runProgram } from ${JSON.stringify(CHILD)};
    endAs(await runProgram(process.execPath, ['--eval', ${JSON.stringify(PROGRAM)}]));
  `;
  const outer = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: outer.stdout })[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value ?? 'no more output';
  return { outer, next, pid: Number(await next()) };
}

describe('the echo filter', () => {
  it('drops the second of two signals that one keypress sent, and passes a later one', () => {
    let nowMs = 0;
    const isNew = createEchoFilter(400, () => nowMs);
    expect(isNew('SIGINT')).toBe(true);
    nowMs = 20;
    expect(isNew('SIGINT')).toBe(false);
    expect(isNew('SIGTERM')).toBe(true);
    nowMs = 2000;
    expect(isNew('SIGINT')).toBe(true);
  });
});

describe('a program under the bootstrap', () => {
  it('gets each signal once, and its exit status is the bootstrap’s', async () => {
    const { outer, next } = await startOuter();
    outer.kill('SIGINT');
    outer.kill('SIGINT');
    expect(await next()).toBe('SIGINT');
    outer.kill('SIGTERM');
    expect(await next()).toBe('SIGTERM');
    expect(await once(outer, 'exit')).toEqual([7, null]);
  });

  it('is asked to stop when the bootstrap is killed', async () => {
    const { outer, next } = await startOuter();
    outer.kill('SIGKILL');
    expect(await next()).toBe('SIGTERM');
  });

  it('ends the bootstrap by the signal that ended it', async () => {
    const { outer, pid } = await startOuter();
    process.kill(pid, 'SIGKILL');
    expect(await once(outer, 'exit')).toEqual([null, 'SIGKILL']);
  });
});

describe('a child', () => {
  it('has everything it wrote handed over in order, with its exit status', async () => {
    const script = `console.error('first'); console.log('second'); process.exitCode = 3`;
    const ended = await runChild(process.execPath, ['--eval', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    expect(ended.code).toBe(3);
    expect(ended.output.split('\n').filter(Boolean).toSorted()).toEqual(['first', 'second']);
  });

  it('that cannot be started rejects', async () => {
    await expect(runChild(fileURLToPath(new URL('./no-such', import.meta.url)), [], {})).rejects.toThrow(
      'ENOENT',
    );
  });
});

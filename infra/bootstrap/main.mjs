import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endAs, runChild, runProgram } from './child.mjs';
import { holdLock } from './lock.mjs';
import { chooseNode, npmCommand } from './node.mjs';
import { isStale, markFresh, markStale, STEPS } from './steps.mjs';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Commands of the repository; every other one is the program's own. */
const SCRIPTS = /** @type {Readonly<Record<string, string>>} */ ({
  check: 'infra/checks/check.ts',
  test: 'infra/checks/test.ts',
});

/** Prepares the clone and says no more. */
const SETUP = 'setup';

/**
 * Makes the clone ready (packages, generated code), then runs `command` under Node 24 in the
 * caller's folder and ends as it ends. Standard output is the command's own.
 *
 * @param {readonly string[]} argv
 */
export async function main([command = '', ...rest]) {
  try {
    await prepare();
    if (command === SETUP) return;
    const script = SCRIPTS[command];
    const target = script === undefined ? ['src/main.ts', command, ...rest] : [script, ...rest];
    const [entry = '', ...args] = target.filter((part) => part !== '');
    endAs(await runProgram(node24(), [join(ROOT, entry), ...args]));
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

async function prepare() {
  if (!STEPS.some((step) => isStale(ROOT, step))) return;
  const lock = await holdLock(join(ROOT, '.cache'), (pid) =>
    say(`Another start (process ${pid}) is preparing this clone; waiting for it.`),
  );
  try {
    // Looked at again under the lock: the one waited for has usually done it all.
    for (const step of STEPS.filter((each) => isStale(ROOT, each))) await perform(step);
  } finally {
    lock.release();
  }
}

/** @param {import('./steps.mjs').Step} step */
async function perform(step) {
  say(step.says);
  markStale(ROOT, step);
  const isNpm = step.tool === 'npm';
  const [file, ...args] = [...(isNpm ? npmCommand(process.env) : [node24()]), ...step.args];
  const ended = await runChild(file ?? '', args, {
    cwd: ROOT,
    env: { ...process.env, ...step.env },
    // Standard output belongs to the command that runs afterwards. npm may draw its progress; the
    // generators' is of interest when they fail.
    stdio: isNpm ? ['ignore', 2, 2] : ['ignore', 'pipe', 'pipe'],
  });
  if (ended.signal !== null) endAs(ended);
  if (ended.code === 0) return markFresh(ROOT, step);
  process.stderr.write(ended.output);
  throw new Error(`${step.failed} (exit status ${ended.code ?? ended.signal})`);
}

function node24() {
  return chooseNode({
    vendored: join(ROOT, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node'),
    exists: existsSync,
    running: { path: process.execPath, version: process.versions.node },
  });
}

/** @param {string} sentence */
function say(sentence) {
  process.stderr.write(`darkroom: ${sentence}\n`);
}

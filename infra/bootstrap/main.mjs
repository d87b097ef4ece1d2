import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endAs, runChild, runProgram } from './child.mjs';
import { commandOf } from './commands.mjs';
import { holdLock } from './lock.mjs';
import { chooseNode, npmCommand } from './node.mjs';
import { isStale, markFresh, markStale, STEPS } from './steps.mjs';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * Makes the clone ready (packages, generated code), then runs the command under Node 24 in the
 * caller's folder and ends as it ends. Standard output is the command's own.
 *
 * @param {readonly string[]} argv
 */
export async function main(argv) {
  try {
    await prepare();
    const command = commandOf(argv);
    if (command === null) return;
    endAs(await runProgram(node24(), [join(ROOT, command.entry), ...command.args]));
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

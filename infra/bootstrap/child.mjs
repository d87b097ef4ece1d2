import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * How a child ended. `output` is what it wrote to the streams that were piped, in order.
 *
 * @typedef {{ readonly code: number | null, readonly signal: NodeJS.Signals | null, readonly output: string }} Ended
 */

const PASSED_ON = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

// npm sends Ctrl-C on to us a moment after the terminal has sent it itself. A person who means it
// a second time takes longer than this.
const SAME_SIGNAL_MS = 400;

/**
 * Tells a signal from its echo: true for the first of its name and for one that comes `windowMs`
 * or more after the last.
 *
 * @param {number} windowMs
 * @param {() => number} nowMs
 * @returns {(signal: string) => boolean}
 */
export function createEchoFilter(windowMs, nowMs) {
  const lastMs = new Map();
  return (signal) => {
    const elapsedMs = nowMs() - (lastMs.get(signal) ?? Number.NEGATIVE_INFINITY);
    lastMs.set(signal, nowMs());
    return elapsedMs >= windowMs;
  };
}

/**
 * Runs a program to its end and passes signals on to it, each once.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 * @returns {Promise<Ended>}
 */
export async function runChild(file, args, options) {
  const child = spawn(file, args, options);
  const isNew = createEchoFilter(SAME_SIGNAL_MS, () => performance.now());
  const passOn = (/** @type {NodeJS.Signals} */ signal) => {
    if (isNew(signal)) child.kill(signal);
  };
  for (const signal of PASSED_ON) process.on(signal, passOn);
  /** @type {Buffer[]} */
  const written = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => written.push(chunk));
  try {
    // `close` comes after the last output; without piped output `exit` is enough, and does not wait
    // for a grandchild that outlives the child.
    const [code, signal] = await once(child, child.stdout === null ? 'exit' : 'close');
    return { code, signal, output: Buffer.concat(written).toString() };
  } finally {
    for (const signal of PASSED_ON) process.off(signal, passOn);
  }
}

/**
 * Runs one of our programs. It gets a process group of its own, because a terminal sends Ctrl-C to
 * the whole group and the program would have it from us a second time; and one end of a pipe, so
 * that it stops by itself when this process is killed and can pass nothing on.
 *
 * @param {string} node
 * @param {readonly string[]} args
 */
export function runProgram(node, args) {
  const watch = new URL('./watch-parent.mjs', import.meta.url).href;
  return runChild(node, ['--disable-warning=ExperimentalWarning', '--import', watch, ...args], {
    detached: true,
    env: { ...process.env, DARKROOM_PARENT_FD: '3' },
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  });
}

/**
 * Ends this process as the child ended, so that whoever waits sees no difference.
 *
 * @param {Pick<Ended, 'code' | 'signal'>} ended
 */
export function endAs({ code, signal }) {
  if (signal === null) process.exitCode = code ?? 1;
  else process.kill(process.pid, signal);
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';

/**
 * A small process that outlives this one. When this one dies without disposing of it (`kill -9`, a
 * crash), it ends the watched process groups and removes the watched directories.
 */
export interface Guardian extends AsyncDisposable {
  readonly pid: number;
  /** Ends the process group `group` with `signal`, after five seconds with SIGKILL. */
  watch(group: number, signal: NodeJS.Signals): void;
  release(group: number): void;
  /** Removes `path` with all that is in it, after the watched groups have ended. */
  watchDirectory(path: string): void;
  releaseDirectory(path: string): void;
}

export interface GuardianOptions {
  readonly logger: Logger;
}

const PROGRAM = fileURLToPath(new URL('./guardian.mjs', import.meta.url));

// It holds a few numbers and paths; without limits V8 would reserve what the machine offers.
const SMALL_HEAP = ['--max-old-space-size=16', '--max-semi-space-size=1', '--no-warnings'];

/**
 * Starts a guardian in a session of its own, so that Ctrl-C in the terminal does not reach it. Resolves
 * when it stands guard.
 *
 * Dispose of it last, after everything it watches has ended: it then leaves without touching anything.
 */
export async function startGuardian({ logger }: GuardianOptions): Promise<Guardian> {
  const child = spawn(process.execPath, [...SMALL_HEAP, PROGRAM], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {},
    cwd: '/',
  });
  const exited = once(child, 'exit');
  const { stdin, stdout } = child;
  // Until it says so, a signal could still end it before it has begun to ignore signals.
  await Promise.race([once(stdout, 'data'), exited]);
  stdout.destroy();
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) {
    throw new Error('The guardian process ended while it started.');
  }

  // Neither the process nor the pipe keeps this one alive once it has nothing left to do.
  child.unref();
  if (stdin instanceof Socket) stdin.unref();
  let isLeaving = false;
  const reportLoss = () => {
    if (!isLeaving)
      logger.error({ pid }, 'the guardian process ended: a kill -9 would now leave processes behind');
  };
  child.once('exit', reportLoss);
  // A write to a guardian that is gone: the loss is reported by its exit.
  stdin.on('error', () => undefined);
  const tell = (order: object) => stdin.write(`${JSON.stringify(order)}\n`);

  return {
    pid,
    watch: (group, signal) => tell({ watch: group, signal }),
    release: (group) => tell({ release: group }),
    watchDirectory: (path) => tell({ watchDirectory: path }),
    releaseDirectory: (path) => tell({ releaseDirectory: path }),
    async [Symbol.asyncDispose]() {
      isLeaving = true;
      child.ref();
      stdin.end(`${JSON.stringify({ goodbye: true })}\n`);
      await exited;
    },
  };
}

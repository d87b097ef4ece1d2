import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Logger } from 'pino';
import type { Clock } from '../../kernel/clock.ts';
import { systemClock } from '../../kernel/clock.ts';
import type { Guardian } from './guardian.ts';

export type OutputStream = 'stdout' | 'stderr';

export interface ChildOptions {
  /** What the log calls it. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment: nothing is inherited, so that no secret of ours leaks into a child. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Every line of output goes here at level debug, the stream's name beside it. */
  readonly logger: Logger;
  /** Called with every line of output besides. */
  readonly onLine?: (line: string, stream: OutputStream) => void;
  /** Ends the child if this process dies without doing so. */
  readonly guardian?: Guardian;
  /** What asks this child to end in an orderly way. SIGTERM by default. */
  readonly stopSignal?: NodeJS.Signals;
  /** How long `await using` waits after the stop signal before SIGKILL. */
  readonly graceMs?: number;
  readonly clock?: Clock;
}

/** How a child ended: exactly one of the two is not null. */
export interface ExitInfo {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StopOptions {
  readonly signal?: NodeJS.Signals;
  readonly graceMs?: number;
}

export interface Child extends AsyncDisposable {
  /** Also the id of its process group. */
  readonly pid: number;
  /** Settles when the child has ended and its output has been read to the end. Never rejects. */
  readonly exited: Promise<ExitInfo>;
  /** Sends the stop signal to the group, after `graceMs` SIGKILL; resolves when it has ended. */
  stop(options?: StopOptions): Promise<ExitInfo>;
}

const GRACE_MS = 10_000;

// A grandchild that left the group may hold the pipes open; the last lines are not worth waiting for it.
const OUTPUT_DRAIN_MS = 1_000;

/**
 * Starts a long-running program as the leader of a process group (and session) of its own: Ctrl-C in
 * the terminal reaches this process only, which then stops its children in the order it needs.
 *
 * Resolves once the program runs; rejects with the system's error (`code` ENOENT, EACCES) when it
 * cannot be started. What the leader leaves of its group when it ends is killed.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { command, args, env, cwd, logger, name, guardian, clock = systemClock } = options;
  const stopSignal = options.stopSignal ?? 'SIGTERM';
  const child = spawn(command, args, {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
  // In the same turn as the spawn: a death of this process between the two would leave an orphan.
  if (child.pid !== undefined) guardian?.watch(child.pid, stopSignal);
  const output = [readLines(child.stdout, 'stdout', options), readLines(child.stderr, 'stderr', options)];
  const pid = await pidOf(child);
  const exited = endOf(child).then(async (info) => {
    signalGroup(pid, 'SIGKILL');
    guardian?.release(pid);
    await withinMs(OUTPUT_DRAIN_MS, Promise.all(output), clock);
    child.stdout.destroy();
    child.stderr.destroy();
    logger.debug({ child: name, pid, ...info }, 'child ended');
    return info;
  });

  async function stop({ signal = stopSignal, graceMs = options.graceMs ?? GRACE_MS }: StopOptions = {}) {
    signalGroup(pid, signal);
    if (!(await withinMs(graceMs, exited, clock))) {
      logger.warn({ child: name, pid, graceMs }, 'child did not end in time and is killed');
      signalGroup(pid, 'SIGKILL');
    }
    return exited;
  }

  return {
    pid,
    exited,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody is left in it.
  }
}

/** Whether `work` settled before `delayMs` had passed. */
async function withinMs(delayMs: number, work: Promise<unknown>, clock: Clock): Promise<boolean> {
  const settled = new AbortController();
  const timer = clock.sleep(delayMs, settled.signal).then(
    () => false,
    () => true,
  );
  await Promise.race([work, timer]);
  settled.abort();
  return timer;
}

async function pidOf(child: ChildProcess): Promise<number> {
  await once(child, 'spawn');
  if (child.pid === undefined) throw new Error('A started process has no id.');
  return child.pid;
}

async function endOf(child: ChildProcess): Promise<ExitInfo> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return { code: child.exitCode, signal: child.signalCode };
}

async function readLines(
  readable: Readable,
  stream: OutputStream,
  { logger, name, onLine }: ChildOptions,
): Promise<void> {
  for await (const line of createInterface({ input: readable, crlfDelay: Infinity })) {
    logger.debug({ child: name, stream }, line);
    onLine?.(line, stream);
  }
}

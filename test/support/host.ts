import { PassThrough } from 'node:stream';
import type { Host, Output } from '../../src/cli/host.ts';

/** A process for commands to run in, without being one. */
export interface TestHost extends Host {
  readonly exits: readonly number[];
  /** The last exit code that was set. */
  readonly exitCode: number | null;
  /** What has been written so far. */
  out(): string;
  err(): string;
  /** Presses Ctrl-C. */
  interrupt(): void;
}

export function createTestHost(
  more: { cwd?: string; environment?: Host['environment']; isTTY?: boolean } = {},
): TestHost {
  const listeners = new Set<() => void>();
  const exits: number[] = [];
  let exitCode: number | null = null;
  const stdout = collect();
  const stderr = collect(more.isTTY);
  return {
    environment: more.environment ?? {},
    cwd: more.cwd ?? '.',
    stdout: stdout.stream,
    stderr: stderr.stream,
    exits,
    get exitCode() {
      return exitCode;
    },
    out: stdout.text,
    err: stderr.text,
    interrupt() {
      for (const listener of listeners) listener();
    },
    onInterrupt(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    setExitCode(code) {
      exitCode = code;
    },
    exit: (code) => void exits.push(code),
    onFault: () => ({ [Symbol.dispose]: () => undefined }),
    strike: () => {
      throw new Error('Nothing of this process is to die.');
    },
  };
}

// The methods of a terminal that a progress bar uses do nothing to a text.
const nothing = () => true;

function collect(isTTY = false): { stream: Output; text: () => string } {
  let text = '';
  const stream = new PassThrough({ encoding: 'utf8' });
  stream.on('data', (chunk: string) => {
    text += chunk;
  });
  const terminal = { isTTY, columns: 80, cursorTo: nothing, clearLine: nothing, moveCursor: nothing };
  return { stream: Object.assign(stream, terminal), text: () => text };
}

import type { Writable } from 'node:stream';
import type { FaultAction } from '../kernel/fault-points.ts';
import { EXIT_FAILED, faultLine } from './output.ts';

/** A stream that text is written to; `isTTY` when a person is looking at it. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What a command sees of the process it runs in. */
export interface Host {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Relative paths start here. */
  readonly cwd: string;
  /** Calls `listener` at each Ctrl-C and SIGTERM, in place of ending the process, until disposed. */
  onInterrupt(listener: () => void): Disposable;
  /** What the process will end with. */
  setExitCode(code: number): void;
  /** Ends the process here and now. */
  exit(code: number): void;
  /** Tells `listener`, in place of whoever reads the terminal, what error nobody caught; the process ends then. */
  onFault(listener: (error: unknown) => void): Disposable;
  /** Does to the process what `kill` from outside would do. */
  strike(action: FaultAction): void;
}

/**
 * The process itself. The environment is handed in: `main` alone reads it. From here on an error that nobody
 * caught, a rejection as well, is told in one line and ends the process with status 1: going on in an unknown
 * state could charge or lose what is not ours, and the guardian ends what it had started.
 */
export function processHost(environment: Host['environment']): Host {
  const listeners: ((error: unknown) => void)[] = [(error) => process.stderr.write(faultLine(error))];
  process.on('uncaughtException', (error) => {
    try {
      listeners.at(-1)?.(error);
    } finally {
      // oxlint-disable-next-line unicorn/no-process-exit -- nothing of it is to be trusted any more
      process.exit(EXIT_FAILED);
    }
  });
  return {
    environment,
    stdout: process.stdout,
    stderr: process.stderr,
    cwd: process.cwd(),
    onInterrupt(listener) {
      const signals = ['SIGINT', 'SIGTERM'] as const;
      for (const signal of signals) process.on(signal, listener);
      return {
        [Symbol.dispose]() {
          for (const signal of signals) process.off(signal, listener);
        },
      };
    },
    onFault(listener) {
      listeners.push(listener);
      return { [Symbol.dispose]: () => void listeners.splice(listeners.indexOf(listener), 1) };
    },
    setExitCode(code) {
      process.exitCode = code;
    },
    // oxlint-disable-next-line unicorn/no-process-exit -- the one place; whoever asks has been asked twice
    exit: (code) => process.exit(code),
    strike: (action) => void process.kill(process.pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP'),
  };
}

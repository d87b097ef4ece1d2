import type { Writable } from 'node:stream';
import type { FaultAction } from '../kernel/fault-points.ts';

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
  /** Does to the process what `kill` from outside would do. */
  strike(action: FaultAction): void;
}

/** The process itself. The environment is handed in: `main` alone reads it. */
export function processHost(environment: Host['environment']): Host {
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
    setExitCode(code) {
      process.exitCode = code;
    },
    // oxlint-disable-next-line unicorn/no-process-exit -- the one place; whoever asks has been asked twice
    exit: (code) => process.exit(code),
    strike: (action) => void process.kill(process.pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP'),
  };
}

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
  /** Tells `listener`, in place of whoever reads the terminal, what error nobody caught; the process ends then. */
  onFault(listener: (error: unknown) => void): Disposable;
  /** Does to the process what `kill` from outside would do. */
  strike(action: FaultAction): void;
}

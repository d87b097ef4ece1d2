import type { Host } from './host.ts';
import { EXIT_FAILED, faultLine } from './output.ts';

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

import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** How a program ended, and everything that it said. */
export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `darkroom …` as a process of its own. Disposing asks it to end, and after a while makes it. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** Settles when it has ended and nobody holds its output any more. */
  readonly ended: Promise<Outcome>;
  /** The first whole line that matches; rejects when the program ends or takes too long without one. */
  line(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<string>;
  signal(name: NodeJS.Signals): void;
  /** Signals it and waits for its end; rejects, and kills it, when that takes too long. */
  end(name: NodeJS.Signals): Promise<Outcome>;
}

/** Where a program runs and what it sees: nothing of the test's own environment. */
export interface Surroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

const ENTRY = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

// Shorter than a test may take, so that what a test started is stopped before the test is given up.
const DEADLINE_MS = 120_000;
const GRACE_MS = 30_000;

/** Starts the program under the Node that runs the tests. */
export function startDarkroom(args: readonly string[], { cwd, env }: Surroundings): Program {
  const child = spawn(process.execPath, [ENTRY, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`darkroom ${args.join(' ')} could not be started.`);
  const said = { stdout: '', stderr: '' };
  const heard = new EventEmitter();
  let isOver = false;
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text;
      heard.emit('news');
    });
  }
  const ended = once(child, 'close').then(() => {
    isOver = true;
    heard.emit('news');
    return { code: child.exitCode, signal: child.signalCode, ...said };
  });

  const hasEnded = async () => {
    await Promise.race([ended, once(AbortSignal.timeout(GRACE_MS), 'abort')]);
    return isOver;
  };

  return {
    pid,
    ended,
    signal: (name) => void child.kill(name),
    async line(stream, pattern) {
      const deadline = AbortSignal.timeout(DEADLINE_MS);
      for (;;) {
        const line = wholeLinesOf(said[stream]).find((each) => pattern.test(each));
        if (line !== undefined) return line;
        if (isOver || deadline.aborted) {
          const what = isOver ? 'ended' : 'took too long';
          throw new Error(`darkroom ${args.join(' ')} ${what} without ${pattern}:\n${said.stderr}`);
        }
        await once(heard, 'news', { signal: deadline }).catch(() => undefined);
      }
    },
    async end(name) {
      child.kill(name);
      if (await hasEnded()) return ended;
      child.kill('SIGKILL');
      throw new Error(`darkroom ${args.join(' ')} did not end on ${name}:\n${said.stderr}`);
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      if (!(await hasEnded())) child.kill('SIGKILL');
      await ended;
    },
  };
}

function wholeLinesOf(text: string): readonly string[] {
  return text.split('\n').slice(0, -1);
}

/** Runs a command that ends by itself, killed when it does not. */
export async function runDarkroom(args: readonly string[], surroundings: Surroundings): Promise<Outcome> {
  const program = startDarkroom(args, surroundings);
  const patience = AbortSignal.timeout(DEADLINE_MS);
  patience.addEventListener('abort', () => program.signal('SIGKILL'), { once: true });
  return program.ended;
}

/** What a command says on stderr besides its progress and its log: what a person has to read. */
export function complaintsIn({ stderr }: Outcome): readonly string[] {
  return stderr.split('\n').filter((line) => line !== '' && !/^(?:darkroom: |\{"level")/.test(line));
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { z } from 'zod';

/** One call of a pipeline: one picture for each seed, the first of which is written to `save`. */
export interface PaintCall {
  readonly prompt: string;
  readonly seeds: readonly number[];
  readonly save: string | null;
}

/** A program that draws pictures when it is told to, over lines of JSON. Disposing ends it. */
export interface Painter extends AsyncDisposable {
  /** What draws, with versions. */
  readonly versions: string;
  /** Resolves when the pictures are there; rejects when the program ends instead. One call at a time. */
  paint(call: PaintCall): Promise<void>;
}

export interface PainterOptions {
  readonly program: {
    readonly command: string;
    readonly args: readonly string[];
    /** The whole environment. */
    readonly env: Readonly<Record<string, string>>;
  };
  /** Told what the program says while it gets ready. */
  readonly say: (text: string) => void;
  /** Ends the program, and lets whoever waits for it reject with its reason. */
  readonly signal: AbortSignal;
}

const Answer = z.union([
  z.strictObject({ say: z.string() }),
  z.strictObject({ ready: z.string() }),
  z.strictObject({ done: z.literal(true) }),
]);
type Answer = z.infer<typeof Answer>;

const COMPLAINT_CHARS = 4_000;

/** Starts the program and resolves when it is ready; rejects with what it wrote to stderr when it ends instead. */
export async function startPainter({ program, say, signal }: PainterOptions): Promise<Painter> {
  signal.throwIfAborted();
  await using stack = new AsyncDisposableStack();
  const child = spawn(program.command, program.args, { env: program.env, stdio: 'pipe' });
  const exited = once(child, 'exit');
  const kill = () => child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  stack.defer(async () => {
    signal.removeEventListener('abort', kill);
    kill();
    await exited;
  });
  // One that has ended says so on the other side.
  child.stdin.on('error', () => {});
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-COMPLAINT_CHARS);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  const answer = async (): Promise<Answer> => {
    const { value, done } = await lines.next();
    signal.throwIfAborted();
    if (!done) return Answer.parse(JSON.parse(value));
    await exited;
    throw new Error(`${program.command} has ended:\n${complaints}`);
  };
  const versions = await untilReady(answer, say);
  const owned = stack.move();
  return {
    versions,
    async paint(call) {
      child.stdin.write(`${JSON.stringify(call)}\n`);
      if (!('done' in (await answer()))) throw new Error(`${program.command} did not draw.`);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function untilReady(answer: () => Promise<Answer>, say: (text: string) => void): Promise<string> {
  for (;;) {
    const said = await answer();
    if ('ready' in said) return said.ready;
    if (!('say' in said)) throw new Error('A painter that is not ready has drawn.');
    say(said.say);
  }
}

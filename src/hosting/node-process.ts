import { z } from 'zod';
import { StartError } from '../kernel/errors.ts';
import type { Child, Guardian } from '../platform/process/index.ts';
import { startChild } from '../platform/process/index.ts';
import type { Logger } from '../platform/telemetry/index.ts';

export interface NodeProcessOptions {
  /** The program's own entry, run again as `darkroom node`. */
  readonly entry: string;
  readonly modelsDirectory: string;
  readonly port: number;
  readonly guardian: Guardian;
  readonly logger: Logger;
}

/** The embedded inference node in a process of its own. */
export interface NodeProcess extends AsyncDisposable {
  /** `grpc://host:port` */
  readonly address: string;
  /** Settles when the process has ended, whether asked to or not. */
  readonly exited: Child['exited'];
}

// Tensors lie outside the heap; calls from one dispatcher take a few megabytes of it.
const HEAP = ['--max-old-space-size=256', '--max-semi-space-size=2'];

// A run takes and frees tensors of many megabytes. glibc learns from the first of them to keep such
// blocks in heaps that do not shrink; told a limit, it gives each back, and huge pages make that cheap.
// Other C libraries ignore it. docs/adr/0010 has the figures.
const ALLOCATOR = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1048576' };

const readyLine = z.object({ node: z.string() });

/** Starts `darkroom node` and waits for its ready line. Rejects with a `StartError` that says why it ended. */
export async function startNodeProcess(options: NodeProcessOptions): Promise<NodeProcess> {
  const { entry, modelsDirectory, port, guardian, logger } = options;
  const args = ['node', '--json', '--models', modelsDirectory, '--port', String(port)];
  const ready = Promise.withResolvers<string>();
  let lastWords = 'it said nothing';
  const child = await startChild({
    name: 'node',
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', ...HEAP, entry, ...args],
    env: ALLOCATOR,
    logger,
    guardian,
    onLine(line, stream) {
      if (stream === 'stderr') {
        lastWords = line;
        return;
      }
      const parsed = readyLine.safeParse(parseJson(line));
      if (parsed.success) ready.resolve(parsed.data.node);
    },
  });
  const ended = child.exited.then(() => {
    throw new StartError(`The inference node did not start: ${lastWords}`);
  });
  const address = await Promise.race([ready.promise, ended]);
  // It ends some day, and by then nobody waits for this promise.
  ended.catch(() => {});
  return { address, exited: child.exited, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

import { Worker } from 'node:worker_threads';
import { messageOf, StartError } from '../kernel/errors.ts';
import { KserveError, status } from '../platform/kserve/index.ts';
import type {
  InferJob,
  InferOutcome,
  WorkerMessage,
  WorkerOrder,
  WorkerSettings,
} from './worker-messages.ts';

/**
 * A thread with a session for every graph that it has run. Runs one job at a time; the pool sees to that. Disposing
 * lets the job in progress end: ONNX Runtime cannot be interrupted, and terminating its thread in the
 * middle of a run aborts the whole process.
 */
export interface SessionThread extends AsyncDisposable {
  /**
   * Takes over the buffers of the job's inputs. Rejects with a `KserveError`: INTERNAL, or UNAVAILABLE
   * with reason NOT_LOADED when the graph can no longer be loaded.
   */
  run(job: InferJob): Promise<InferOutcome>;
  /** Forgets the graph after the job in progress: the next one for it loads it again. */
  release(file: string): void;
  /** Whether a job for this graph runs without loading it first. */
  holds(file: string): boolean;
  /** Resolves, saying why, when the thread has ended, whether or not it was asked to. */
  readonly ended: Promise<string>;
}

export interface SessionThreadOptions extends WorkerSettings {
  /** The thread's code. Default: `session-worker.ts`. */
  readonly entry?: URL;
}

interface Pending {
  readonly job: InferJob;
  readonly resolve: (outcome: InferOutcome) => void;
  readonly reject: (error: KserveError) => void;
}

const SESSION_WORKER = new URL('./session-worker.ts', import.meta.url);

// Tensors lie outside the heap, which holds little but the code: 9 MB.
const HEAP = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 };

/**
 * Starts a thread and lets it check its graphs. Rejects with a `StartError` that names the file when
 * one cannot be loaded; the thread has ended then.
 */
export async function startSessionThread(options: SessionThreadOptions): Promise<SessionThread> {
  const { entry = SESSION_WORKER, ...settings } = options;
  // Flags of the parent (a debugger's port, a test runner's hooks) are not meant for its threads.
  const worker = new Worker(entry, { workerData: settings, execArgv: [], resourceLimits: HEAP });
  const ended = endOf(worker);
  await loaded(worker, ended);
  const held = settings.checks.filter(({ isFirstNeeded }) => isFirstNeeded);
  return threadOn(worker, ended, new Set(held.map(({ file }) => file)));
}

function endOf(worker: Worker): Promise<string> {
  return new Promise((resolve) => {
    let reason: string | null = null;
    worker.once('error', (error) => (reason = messageOf(error)));
    worker.once('exit', (code) => resolve(reason ?? `exit code ${code}`));
  });
}

function loaded(worker: Worker, ended: Promise<string>): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: string | null = null;
    worker.once('message', (message: WorkerMessage) => {
      if (message.kind === 'READY') resolve();
      // The worker ends by itself then, and it is its end that is reported.
      else failure = describeFailure(message);
    });
    void ended.then((reason) =>
      reject(new StartError(failure ?? `An inference worker ended while it loaded the models: ${reason}.`)),
    );
  });
}

function describeFailure(message: WorkerMessage): string {
  if (message.kind !== 'UNLOADABLE') return 'An inference worker answered before it was ready.';
  // ONNX Runtime's texts have line breaks; a start-up error is one line.
  const reason = message.reason.replaceAll(/\s+/g, ' ').replace(/[. ]+$/, '');
  return (
    `The model file ${message.file} cannot be loaded: ${reason}. ` +
    'It or the weights beside it are damaged: restore them from the repository.'
  );
}

function threadOn(worker: Worker, ended: Promise<string>, held: Set<string>): SessionThread {
  let pending: Pending | null = null;
  const order = (message: WorkerOrder, transfer: ArrayBuffer[] = []) => worker.postMessage(message, transfer);
  const settle = (how: (job: Pending) => void) => {
    const job = pending;
    pending = null;
    if (job) how(job);
  };
  worker.on('message', (message: WorkerMessage) => {
    settle(({ job, resolve, reject }) => {
      if (message.kind === 'DONE') {
        held.add(job.file);
        resolve({ outputs: message.outputs, times: message.times });
      } else if (message.kind === 'FAILED') reject(modelRaised(message.reason));
      else reject(notLoaded(job, describeFailure(message)));
    });
  });
  // Triton's words for a model whose process died.
  void ended.then(() =>
    settle(({ job, reject }) =>
      reject(new KserveError(status.INTERNAL, `Stub process '${job.model}_0_0' is not healthy.`)),
    ),
  );
  return {
    ended,
    holds: (file) => held.has(file),
    run(job) {
      return new Promise((resolve, reject) => {
        pending = { job, resolve, reject };
        order(
          { kind: 'RUN', job },
          job.inputs.map(({ bytes }) => bytes.buffer),
        );
      });
    },
    release(file) {
      held.delete(file);
      order({ kind: 'RELEASE', file });
    },
    async [Symbol.asyncDispose]() {
      order({ kind: 'CLOSE' });
      await ended;
    },
  };
}

function modelRaised(reason: string): KserveError {
  return new KserveError(status.INTERNAL, `onnx runtime error: ${reason}`);
}

// Triton's words for a model between load and unload: another node may have it.
function notLoaded({ model }: InferJob, why: string): KserveError {
  return new KserveError(status.UNAVAILABLE, `'${model}' is not at ready state: ${why}`);
}

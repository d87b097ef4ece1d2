import { Worker } from 'node:worker_threads';
import { messageOf, StartError } from '../kernel/errors.ts';
import { KserveError, status } from '../platform/kserve/index.ts';
import type { InferJob, RawTensor, WorkerMessage, WorkerOrder, WorkerSettings } from './worker-messages.ts';

/**
 * A thread with a session for every graph. Runs one job at a time; the pool sees to that. Disposing
 * lets the job in progress end: ONNX Runtime cannot be interrupted, and terminating its thread in the
 * middle of a run aborts the whole process.
 */
export interface SessionThread extends AsyncDisposable {
  /** Takes over the buffers of the job's inputs. Rejects with a `KserveError` INTERNAL. */
  run(job: InferJob): Promise<readonly RawTensor[]>;
  /** Resolves, saying why, when the thread has ended, whether or not it was asked to. */
  readonly ended: Promise<string>;
}

export interface SessionThreadOptions extends WorkerSettings {
  /** The thread's code. Default: `session-worker.ts`. */
  readonly entry?: URL;
}

interface Pending {
  readonly model: string;
  readonly resolve: (outputs: readonly RawTensor[]) => void;
  readonly reject: (error: KserveError) => void;
}

const SESSION_WORKER = new URL('./session-worker.ts', import.meta.url);

/**
 * Starts a thread and loads the graphs. Rejects with a `StartError` that names the file when one
 * cannot be loaded; the thread has ended then.
 */
export async function startSessionThread(options: SessionThreadOptions): Promise<SessionThread> {
  const { entry = SESSION_WORKER, graphs, intraOpThreads } = options;
  const settings: WorkerSettings = { graphs, intraOpThreads };
  // Flags of the parent (a debugger's port, a test runner's hooks) are not meant for its threads.
  const worker = new Worker(entry, { workerData: settings, execArgv: [] });
  const ended = endOf(worker);
  await loaded(worker, ended);
  return threadOn(worker, ended);
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

function threadOn(worker: Worker, ended: Promise<string>): SessionThread {
  let pending: Pending | null = null;
  const order = (message: WorkerOrder, transfer: ArrayBuffer[] = []) => worker.postMessage(message, transfer);
  const settle = (how: (job: Pending) => void) => {
    const job = pending;
    pending = null;
    if (job) how(job);
  };
  worker.on('message', (message: WorkerMessage) => {
    settle(({ resolve, reject }) => {
      if (message.kind === 'DONE') resolve(message.outputs);
      else if (message.kind === 'FAILED') reject(modelRaised(message.reason));
    });
  });
  // Triton's words for a model whose process died.
  void ended.then(() =>
    settle(({ model, reject }) =>
      reject(new KserveError(status.INTERNAL, `Stub process '${model}_0_0' is not healthy.`)),
    ),
  );
  return {
    ended,
    run(job) {
      return new Promise((resolve, reject) => {
        pending = { model: job.model, resolve, reject };
        order(
          { kind: 'RUN', job },
          job.inputs.map(({ bytes }) => bytes.buffer),
        );
      });
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

import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { systemClock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Datatype } from '../platform/kserve/tensors.ts';
import { decodeTensor, encodeTensor } from '../platform/kserve/tensors.ts';
import type {
  Graph,
  InferJob,
  InferOutcome,
  RawTensor,
  WorkerMessage,
  WorkerOrder,
  WorkerSettings,
} from './worker-messages.ts';

// The entry of a worker thread: ONNX Runtime blocks its thread for the whole of an inference, and
// the node must answer health checks meanwhile. Jobs come one at a time.

const ONNX_TYPE = {
  FP32: 'float32',
  FP16: 'float16',
  INT32: 'int32',
  INT64: 'int64',
  UINT8: 'uint8',
  BOOL: 'bool',
} as const satisfies Record<Datatype, Tensor.Type>;

// Fatal only: a failed run is reported to its caller, and need not be on stderr as well.
const LOG_SEVERITY = 4;

// The options that decide what a node weighs; docs/adr/0010 has the figures.
const OPTIONS: InferenceSession.SessionOptions = {
  interOpNumThreads: 1,
  executionMode: 'sequential',
  // An arena belongs to one session and never shrinks: each would keep what its largest batch took.
  enableCpuMemArena: false,
  logSeverityLevel: LOG_SEVERITY,
  // Spinning threads of one session would take the cores of the others.
  extra: { session: { intra_op: { allow_spinning: '0' } } },
};

const settings = workerData as WorkerSettings;
const sessions = new Map<string, InferenceSession>();

async function load(graph: Graph, options: InferenceSession.SessionOptions = {}): Promise<InferenceSession> {
  try {
    const session = await InferenceSession.create(graph.file, {
      ...OPTIONS,
      intraOpNumThreads: settings.intraOpThreads,
      ...options,
    });
    const missing = [
      ...graph.inputs.filter((name) => !session.inputNames.includes(name)),
      ...graph.outputs.filter((name) => !session.outputNames.includes(name)),
    ];
    if (missing.length > 0) throw new Error(`it lacks ${missing.join(', ')}, which the manifest lists`);
    return session;
  } catch (error) {
    throw new UnloadableError(graph.file, messageOf(error));
  }
}

/** Without optimising it, a graph is read and bound to its weights, but no weight is copied. */
async function check(graph: Graph): Promise<void> {
  const session = await load(graph, { graphOptimizationLevel: 'disabled' });
  await session.release();
}

async function sessionOf(file: string): Promise<InferenceSession> {
  const loaded = sessions.get(file);
  if (loaded) return loaded;
  const graph = settings.graphs.find((each) => each.file === file);
  if (!graph) throw new Error(`${file} is not served`);
  const session = await load(graph);
  sessions.set(file, session);
  return session;
}

class UnloadableError extends Error {
  readonly file: string;

  constructor(file: string, reason: string) {
    super(reason);
    this.file = file;
  }
}

async function release(file: string): Promise<void> {
  const session = sessions.get(file);
  sessions.delete(file);
  // What cannot be given back is forgotten all the same: the orders behind this one must be heard.
  await session?.release().catch(() => undefined);
}

async function run(job: InferJob): Promise<InferOutcome> {
  const session = await sessionOf(job.file);
  const startMs = systemClock.monotonicMs();
  const feeds = Object.fromEntries(job.inputs.map((input) => [input.name, toOnnx(input)]));
  const fedMs = systemClock.monotonicMs();
  const results =
    job.inputs.length === 0 ? {} : await session.run(feeds, job.outputs, { logSeverityLevel: LOG_SEVERITY });
  const ranMs = systemClock.monotonicMs();
  const outputs = job.outputs.map((name) => fromOnnx(name, results[name]));
  const times = {
    inputMs: fedMs - startMs,
    inferMs: ranMs - fedMs,
    outputMs: systemClock.monotonicMs() - ranMs,
  };
  return { outputs, times };
}

function toOnnx({ name, datatype, shape, bytes }: RawTensor): Tensor {
  const data = decodeTensor(datatype, shape, bytes);
  if (!data) throw new Error(`input '${name}' has ${bytes.byteLength} bytes, not those of its shape`);
  return new Tensor(ONNX_TYPE[datatype], data, shape);
}

function fromOnnx(name: string, tensor: Tensor | undefined): RawTensor {
  const datatype = (Object.keys(ONNX_TYPE) as Datatype[]).find((each) => ONNX_TYPE[each] === tensor?.type);
  if (!tensor || !datatype || !ArrayBuffer.isView(tensor.data))
    throw new Error(`output '${name}' is ${tensor?.type ?? 'missing'}, which cannot be sent`);
  return { name, datatype, shape: tensor.dims, bytes: new Uint8Array(encodeTensor(tensor.data)) };
}

function post(message: WorkerMessage, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

async function answer(job: InferJob): Promise<void> {
  try {
    const outcome = await run(job);
    post(
      { kind: 'DONE', ...outcome },
      outcome.outputs.map(({ bytes }) => bytes.buffer),
    );
  } catch (error) {
    const reason = messageOf(error);
    if (error instanceof UnloadableError) post({ kind: 'UNLOADABLE', file: error.file, reason });
    else post({ kind: 'FAILED', reason });
  }
}

async function obey(order: WorkerOrder): Promise<void> {
  if (order.kind === 'RUN') await answer(order.job);
  else if (order.kind === 'RELEASE') await release(order.file);
  // With its port closed the thread has nothing to wait for, and ends.
  else parentPort?.close();
}

try {
  for (const graph of settings.checks) await (graph.isFirstNeeded ? sessionOf(graph.file) : check(graph));
  // A run begins in a later turn than its order came in, and another order must not overtake it.
  let inProgress: Promise<void> = Promise.resolve();
  parentPort?.on('message', (order: WorkerOrder) => {
    inProgress = inProgress.then(() => obey(order));
  });
  post({ kind: 'READY' });
} catch (error) {
  const file = error instanceof UnloadableError ? error.file : 'onnxruntime';
  post({ kind: 'UNLOADABLE', file, reason: messageOf(error) });
}

import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { messageOf } from '../kernel/errors.ts';
import type { Datatype } from '../platform/kserve/tensors.ts';
import { decodeTensor, encodeTensor } from '../platform/kserve/tensors.ts';
import type {
  Graph,
  InferJob,
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

async function loadGraph(graph: Graph, intraOpThreads: number): Promise<InferenceSession> {
  const session = await InferenceSession.create(graph.file, {
    intraOpNumThreads: intraOpThreads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: LOG_SEVERITY,
    // Spinning threads of one session would take the cores of the others.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const missing = [
    ...graph.inputs.filter((name) => !session.inputNames.includes(name)),
    ...graph.outputs.filter((name) => !session.outputNames.includes(name)),
  ];
  if (missing.length > 0) throw new Error(`it lacks ${missing.join(', ')}, which the manifest lists`);
  return session;
}

async function loadGraphs({
  graphs,
  intraOpThreads,
}: WorkerSettings): Promise<Map<string, InferenceSession>> {
  const sessions = new Map<string, InferenceSession>();
  for (const graph of graphs) {
    try {
      sessions.set(graph.file, await loadGraph(graph, intraOpThreads));
    } catch (error) {
      throw new UnloadableError(graph.file, messageOf(error));
    }
  }
  return sessions;
}

class UnloadableError extends Error {
  readonly file: string;

  constructor(file: string, reason: string) {
    super(reason);
    this.file = file;
  }
}

async function run(session: InferenceSession | undefined, job: InferJob): Promise<readonly RawTensor[]> {
  if (!session) throw new Error(`${job.file} is not loaded`);
  const feeds = Object.fromEntries(job.inputs.map((input) => [input.name, toOnnx(input)]));
  const results = await session.run(feeds, job.outputs, { logSeverityLevel: LOG_SEVERITY });
  return job.outputs.map((name) => fromOnnx(name, results[name]));
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

async function answer(session: InferenceSession | undefined, job: InferJob): Promise<void> {
  try {
    const outputs = await run(session, job);
    post(
      { kind: 'DONE', outputs },
      outputs.map(({ bytes }) => bytes.buffer),
    );
  } catch (error) {
    post({ kind: 'FAILED', reason: messageOf(error) });
  }
}

try {
  const sessions = await loadGraphs(workerData as WorkerSettings);
  // A run begins in a later turn than its order came in, and an order to close may overtake it.
  let inProgress: Promise<void> = Promise.resolve();
  parentPort?.on('message', (order: WorkerOrder) => {
    // With its port closed the thread has nothing to wait for, and ends.
    if (order.kind === 'CLOSE') void inProgress.then(() => parentPort?.close());
    else inProgress = answer(sessions.get(order.job.file), order.job);
  });
  post({ kind: 'READY' });
} catch (error) {
  const file = error instanceof UnloadableError ? error.file : 'onnxruntime';
  post({ kind: 'UNLOADABLE', file, reason: messageOf(error) });
}

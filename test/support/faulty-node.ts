import { Server, ServerCredentials, type handleUnaryCall } from '@grpc/grpc-js';
import type {
  KserveClient,
  ModelInferRequest,
  ModelInferResponse,
  ModelRef,
  TensorMetadata,
} from '../../src/platform/kserve/index.ts';
import { elementCount, KserveError, loadKserveService, status } from '../../src/platform/kserve/index.ts';
import { startRelay, type Relay } from './relay.ts';

/** What the node does with ModelInfer requests. */
export type FaultyReply =
  | 'ok'
  | 'hang'
  | 'short-output'
  | 'empty-output'
  | 'nan-output'
  /** Floats with the other sign, as of a model that was trained for something else. */
  | 'negated-output'
  /** Floats a hundred times as large, as of a model whose latents run away. */
  | 'loud-output'
  /** The last row's bytes all alike, as of a picture that is grey. */
  | 'grey-output'
  | 'wrong-shape'
  | 'wrong-type'
  | 'wrong-version'
  | 'missing-output'
  /** Bytes that are no message. */
  | 'garbage'
  /** Breaks every connection instead of answering. */
  | 'drop'
  | { readonly code: status; readonly details: string };

/**
 * A KServe server on a real socket that fails as it is told. Probes are always answered; ModelInfer
 * goes by `reply`. Disposing ends it at once.
 */
export interface FaultyNode extends AsyncDisposable, Pick<Relay, 'drop' | 'freeze'> {
  readonly address: string;
  reply: FaultyReply | ReplyOf;
  /** ModelInfer requests so far. */
  readonly calls: number;
  /** Those of them that were withdrawn before an answer. */
  readonly cancelled: number;
  /** Resolves when `condition` holds; it is looked at whenever a request comes or is withdrawn. */
  until(condition: () => boolean): Promise<void>;
}

export interface FaultyNodeOptions {
  /**
   * A real node that probes and requests are handed to; its answers are spoilt on the way back.
   * Without it the node serves `faulty.echo`, whose outputs are those asked for, with the first
   * input's shape and zeros for content.
   */
  readonly behind?: KserveClient;
}

/** Decides by what is asked; a test may also just look. */
export type ReplyOf = (request: ModelInferRequest) => FaultyReply;

interface Tally {
  reply: FaultyReply | ReplyOf;
  calls: number;
  cancelled: number;
  readonly watchers: Set<() => void>;
}

export async function startFaultyNode({ behind }: FaultyNodeOptions = {}): Promise<FaultyNode> {
  const tally: Tally = { reply: 'ok', calls: 0, cancelled: 0, watchers: new Set() };
  await using stack = new AsyncDisposableStack();
  const server = stack.adopt(new Server({ 'grpc.max_receive_message_length': -1 }), (each) =>
    each.forceShutdown(),
  );
  const handler = inferHandler(tally, { drop: () => relay.drop(), behind });
  server.addService(serviceThatCanLie(), { ...probes(behind), ModelInfer: handler });
  const relay = stack.use(await startRelay(await bind(server)));
  const owned = stack.move();
  return {
    address: `grpc://127.0.0.1:${relay.port}`,
    get reply() {
      return tally.reply;
    },
    set reply(reply) {
      tally.reply = reply;
    },
    get calls() {
      return tally.calls;
    },
    get cancelled() {
      return tally.cancelled;
    },
    until: (condition) => until(tally, condition),
    drop: relay.drop,
    freeze: relay.freeze,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The protocol's service, except that a Buffer given as an answer is sent as it is. */
function serviceThatCanLie() {
  const service = loadKserveService();
  const { ModelInfer } = service;
  const responseSerialize = (answer: ModelInferResponse | Buffer) =>
    Buffer.isBuffer(answer) ? answer : ModelInfer.responseSerialize(answer);
  return { ...service, ModelInfer: { ...ModelInfer, responseSerialize } };
}

function until({ watchers }: Tally, condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!condition()) return;
      watchers.delete(look);
      resolve();
    };
    watchers.add(look);
    look();
  });
}

interface Means {
  readonly drop: () => void;
  readonly behind: KserveClient | undefined;
}

function inferHandler(
  tally: Tally,
  { drop, behind }: Means,
): handleUnaryCall<ModelInferRequest, ModelInferResponse | Buffer> {
  const look = () => tally.watchers.forEach((watch) => watch());
  return (call, callback) => {
    let isAnswered = false;
    const answer: typeof callback = (...args) => {
      isAnswered = true;
      callback(...args);
    };
    // grpc-js says this of every call that ends, answered or not.
    call.on('cancelled', () => {
      if (!isAnswered) tally.cancelled += 1;
      look();
    });
    tally.calls += 1;
    look();
    const reply = typeof tally.reply === 'function' ? tally.reply(call.request) : tally.reply;
    if (reply === 'hang') return;
    if (reply === 'drop') return drop();
    if (reply === 'garbage') return answer(null, Buffer.from([0xff, 0xff, 0xff, 0xff]));
    if (typeof reply === 'object') return answer(reply);
    const good = behind ? behind.modelInfer(call.request) : Promise.resolve(echo(call.request));
    good.then(
      (response) => answer(null, spoil(reply, response)),
      (error: unknown) => answer(asStatus(error)),
    );
  };
}

function echo(request: ModelInferRequest): ModelInferResponse {
  const shape = request.inputs[0]?.shape ?? [];
  const outputs = (request.outputs ?? []).map(({ name }) => ({ name, datatype: 'FP32', shape }));
  return {
    model_name: request.model_name,
    model_version: '1',
    id: request.id ?? '',
    outputs,
    raw_output_contents: outputs.map(() => new Uint8Array(4 * elementCount(shape))),
  };
}

/** Spoils the first output. */
function spoil(reply: FaultyReply, answer: ModelInferResponse): ModelInferResponse {
  const [output, ...outputs] = answer.outputs;
  const [bytes, ...contents] = answer.raw_output_contents;
  if (!output || !bytes) return answer;
  switch (reply) {
    case 'wrong-shape':
      return { ...answer, outputs: [{ ...output, shape: [1, elementCount(output.shape)] }, ...outputs] };
    case 'wrong-type':
      return { ...answer, outputs: [{ ...output, datatype: 'INT32' }, ...outputs] };
    case 'missing-output':
      return { ...answer, outputs, raw_output_contents: contents };
    case 'wrong-version':
      return { ...answer, model_version: '2' };
    default:
      return { ...answer, raw_output_contents: [spoilBytes(reply, output, bytes), ...contents] };
  }
}

function spoilBytes(reply: FaultyReply, { shape }: TensorMetadata, bytes: Uint8Array): Uint8Array {
  switch (reply) {
    case 'short-output':
      return bytes.slice(0, -4);
    case 'empty-output':
      return new Uint8Array();
    case 'nan-output':
      return new Uint8Array(new Float32Array(bytes.byteLength / 4).fill(Number.NaN).buffer);
    case 'negated-output':
      return multiplied(bytes, -1);
    case 'loud-output':
      return multiplied(bytes, 100);
    case 'grey-output':
      return bytes.slice().fill(128, bytes.length - bytes.length / (shape[0] ?? 1));
    default:
      return bytes;
  }
}

/** The bytes of the same float32 values, each times `factor`. */
function multiplied(bytes: Uint8Array, factor: number): Uint8Array {
  // A copy, for its own buffer: floats begin at a multiple of four.
  const values = new Float32Array(Uint8Array.from(bytes).buffer);
  return new Uint8Array(values.map((value) => factor * value).buffer);
}

function probes(behind: KserveClient | undefined): Record<string, handleUnaryCall<ModelRef, object>> {
  const name = 'faulty.echo';
  const config = {
    name,
    max_batch_size: 8,
    instance_group: [{ name, kind: 'KIND_CPU', count: 1, gpus: [] }],
  };
  const index = [{ name, version: '1', state: 'READY', reason: '' }];
  const answers: Record<string, (model: ModelRef) => object | Promise<object>> = {
    ServerLive: () => ({ live: true }),
    ServerReady: () => ({ ready: true }),
    ServerMetadata: () => ({ name: 'faulty', version: '0', extensions: [] }),
    ModelReady: () => ({ ready: true }),
    ModelConfig: async (model) => ({ config: behind ? await behind.modelConfig(model) : config }),
    RepositoryIndex: async () => ({ models: behind ? await behind.repositoryIndex() : index }),
  };
  return Object.fromEntries(Object.entries(answers).map(([method, answer]) => [method, probe(answer)]));
}

function probe(answer: (model: ModelRef) => object | Promise<object>): handleUnaryCall<ModelRef, object> {
  const work = async (model: ModelRef) => answer(model);
  return (call, callback) => {
    work(call.request).then(
      (response) => callback(null, response),
      (error: unknown) => callback(asStatus(error)),
    );
  };
}

function asStatus(error: unknown): { readonly code: status; readonly details: string } {
  if (error instanceof KserveError) return { code: error.status, details: error.message };
  return { code: status.UNKNOWN, details: String(error) };
}

function bind(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

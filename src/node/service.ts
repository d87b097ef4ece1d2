import type { handleUnaryCall, UntypedServiceImplementation } from '@grpc/grpc-js';
import { messageOf } from '../kernel/errors.ts';
import type {
  KserveService,
  ModelInferRequest,
  ModelInferResponse,
  RegionSpan,
} from '../platform/kserve/index.ts';
import { KserveError, status } from '../platform/kserve/index.ts';
import type { Gate } from './gate.ts';
import { readInferRequest, readOutputSpans } from './infer-request.ts';
import type { NodeLogger } from './log.ts';
import type { ServedModels } from './served-models.ts';
import { configOf, findModel, isServed, metadataOf, MODEL_VERSION } from './served-models.ts';
import type { SessionPool } from './session-pool.ts';
import type { SharedRegions } from './shared-regions.ts';
import type { RawTensor } from './worker-messages.ts';

export interface ServiceDeps {
  readonly models: ServedModels;
  readonly pool: SessionPool;
  /** Calls that run at the same time. */
  readonly instances: number;
  readonly gate: Gate;
  readonly regions: SharedRegions;
  /** Whether clients may register memory: those on this machine, when no others can call the node. */
  readonly isSharing: boolean;
  readonly version: string;
  readonly logger: NodeLogger;
}

type RequestOf<M extends keyof KserveService> = Parameters<KserveService[M]['requestSerialize']>[0];
type ResponseOf<M extends keyof KserveService> = Parameters<KserveService[M]['responseSerialize']>[0];

type Handlers<K extends keyof KserveService = keyof KserveService> = {
  readonly [M in K]: (request: RequestOf<M>, signal: AbortSignal) => ResponseOf<M> | Promise<ResponseOf<M>>;
};

type SharingCall = Extract<keyof KserveService, `SystemSharedMemory${string}`>;

/** The calls that the node answers; grpc answers UNIMPLEMENTED to the rest of the protocol. */
export function createService(deps: ServiceDeps): UntypedServiceImplementation {
  const handlers = { ...createHandlers(deps), ...(deps.isSharing && createSharingHandlers(deps)) };
  return Object.fromEntries(
    Object.entries(handlers).map(([name, handle]) => [name, unary(handle, deps.logger)]),
  );
}

function createHandlers(deps: ServiceDeps): Handlers<Exclude<keyof KserveService, SharingCall>> {
  const { models, pool, gate, instances, version, isSharing } = deps;
  const extensions = ['model_configuration', ...(isSharing ? ['system_shared_memory'] : [])];
  return {
    ServerLive: () => ({ live: true }),
    ServerReady: () => ({ ready: gate.isOpen && pool.alive > 0 }),
    ServerMetadata: () => ({ name: 'darkroom', version, extensions }),
    ModelReady: (ref) => {
      const isReady = isServed(models, ref) && pool.isLoadable(findModel(models, ref).file);
      return { ready: isReady && gate.isOpen };
    },
    ModelMetadata: (model) => metadataOf(findModel(models, model)),
    ModelConfig: (model) => ({ config: configOf(findModel(models, model), instances) }),
    RepositoryIndex: () => ({
      models: [...models.values()].map(({ name, file }) =>
        pool.isLoadable(file)
          ? { name, version: MODEL_VERSION, state: 'READY', reason: '' }
          : { name, version: MODEL_VERSION, state: 'UNAVAILABLE', reason: 'its files are damaged' },
      ),
    }),
    ModelInfer: (request, signal) => gate.pass(() => infer(deps, request, signal)),
  };
}

function createSharingHandlers({ regions }: ServiceDeps): Handlers<SharingCall> {
  return {
    SystemSharedMemoryStatus: ({ name }) => ({ regions: regions.list(name) }),
    SystemSharedMemoryRegister: (region) => {
      regions.register(region);
      return {};
    },
    SystemSharedMemoryUnregister: ({ name }) => {
      regions.unregister(name);
      return {};
    },
  };
}

async function infer(
  { models, pool, regions }: ServiceDeps,
  request: ModelInferRequest,
  signal: AbortSignal,
): Promise<ModelInferResponse> {
  const model = findModel(models, { name: request.model_name, version: request.model_version ?? '' });
  const job = readInferRequest(model, request, regions);
  const spans = readOutputSpans(request);
  for (const span of spans.values()) regions.check(span);
  const outputs = await pool.run(job, signal);
  return {
    model_name: model.name,
    model_version: MODEL_VERSION,
    id: request.id ?? '',
    outputs: outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    raw_output_contents: outputs.map((output) => deliver(output, spans.get(output.name), regions)),
  };
}

/** The bytes of an output that belong into the answer: none of one that was written to shared memory. */
function deliver(
  { name, bytes }: RawTensor,
  span: RegionSpan | undefined,
  regions: SharedRegions,
): Uint8Array {
  if (!span) return bytes;
  if (span.byteSize < bytes.byteLength)
    throw new KserveError(
      status.INTERNAL,
      `shared memory size specified with the request for output '${name}' (${span.byteSize} bytes) ` +
        `should be at least ${bytes.byteLength} bytes to hold the results`,
    );
  regions.write(span, bytes);
  return new Uint8Array();
}

type Handle = (request: never, signal: AbortSignal) => unknown;

/** A handler for grpc: `signal` fires when the client cancels, hangs up or passes its deadline. */
function unary(handle: Handle, logger: NodeLogger): handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    const withdrawn = new AbortController();
    call.on('cancelled', () => withdrawn.abort());
    // grpc has decoded the request with the definition that the handler is registered under.
    const work = async () => handle(call.request as never, withdrawn.signal);
    work().then(
      (response) => callback(null, response),
      (error: unknown) => callback(toStatus(error, logger)),
    );
  };
}

// A status travels in a header: a longer one would break the connection for every call on it.
const DETAILS_CHARS_MAX = 2_000;

function toStatus(error: unknown, logger: NodeLogger): { readonly code: status; readonly details: string } {
  if (error instanceof KserveError) return { code: error.status, details: asHeader(error.message) };
  logger.error({ err: error }, 'a request failed in a way that the node does not expect');
  return { code: status.INTERNAL, details: asHeader(`The node failed: ${messageOf(error)}`) };
}

/** Texts quote the request, which may hold anything; grpc-js throws on lone surrogates. */
function asHeader(text: string): string {
  return text.slice(0, DETAILS_CHARS_MAX).toWellFormed();
}

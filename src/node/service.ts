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
import type { ModelStates } from './model-states.ts';
import { configOf, isServedVersion, metadataOf } from './served-models.ts';
import type { SessionPool } from './session-pool.ts';
import type { SharedRegions } from './shared-regions.ts';
import type { Statistics } from './statistics.ts';
import type { RawTensor } from './worker-messages.ts';

export interface ServiceDeps {
  readonly models: ModelStates;
  readonly pool: Pick<SessionPool, 'run' | 'alive'>;
  readonly statistics: Pick<Statistics, 'of'>;
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
type RepositoryCall = Extract<keyof KserveService, `Repository${string}` | 'ModelStatistics'>;

/** The calls that the node answers; grpc answers UNIMPLEMENTED to the rest of the protocol. */
export function createService(deps: ServiceDeps): UntypedServiceImplementation {
  const handlers = {
    ...createHandlers(deps),
    ...createRepositoryHandlers(deps),
    ...(deps.isSharing && createSharingHandlers(deps)),
  };
  return Object.fromEntries(
    Object.entries(handlers).map(([name, handle]) => [name, unary(handle, deps.logger)]),
  );
}

function createHandlers(
  deps: ServiceDeps,
): Handlers<Exclude<keyof KserveService, SharingCall | RepositoryCall>> {
  const { models, pool, gate, instances, version, isSharing } = deps;
  const extensions = [
    'model_configuration',
    'model_repository',
    'statistics',
    ...(isSharing ? ['system_shared_memory'] : []),
  ];
  return {
    ServerLive: () => {
      gate.check('Server exiting');
      return { live: true };
    },
    ServerReady: () => {
      gate.check('Server exiting');
      return { ready: pool.alive > 0 };
    },
    ServerMetadata: () => ({ name: 'darkroom', version, extensions }),
    ModelReady: (ref) => {
      gate.check('Server not ready');
      return { ready: models.isReady(ref) };
    },
    ModelMetadata: (ref) => metadataOf(models.find(ref)),
    ModelConfig: (ref) => ({ config: configOf(models.find(ref), instances) }),
    ModelInfer: (request, signal) => gate.pass(() => infer(deps, request, signal)),
  };
}

function createRepositoryHandlers({ models, gate, statistics }: ServiceDeps): Handlers<RepositoryCall> {
  return {
    RepositoryIndex: ({ ready }) => {
      gate.check('Server not ready');
      return { models: models.index().filter(({ state }) => !ready || state === 'READY') };
    },
    RepositoryModelLoad: ({ model_name, parameters = {} }) =>
      gate.pass(async () => {
        const [given] = Object.keys(parameters);
        if (given !== undefined)
          throw invalid(`load parameter '${given}' is not supported: a bundle is served as it is`);
        await models.load(model_name);
        return {};
      }),
    RepositoryModelUnload: ({ model_name }) => {
      models.unload(model_name);
      return {};
    },
    ModelStatistics: ({ name, version = '' }) => {
      const named = models.ready().filter((model) => name === '' || model.name === name);
      if (name !== '' && named.length === 0) throw invalid(`requested model '${name}' is not available`);
      const wanted = named.filter((model) => isServedVersion(version, model));
      if (name !== '' && wanted.length === 0)
        throw invalid(`requested model version is not available for model '${name}'`);
      return { model_stats: wanted.map((model) => statistics.of(model.name, model.version)) };
    },
  };
}

function invalid(text: string): KserveError {
  return new KserveError(status.INVALID_ARGUMENT, text);
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

function infer(
  { models, pool, regions }: ServiceDeps,
  request: ModelInferRequest,
  signal: AbortSignal,
): Promise<ModelInferResponse> {
  return models.use({ name: request.model_name, version: request.model_version ?? '' }, async (model) => {
    const job = readInferRequest(model, request, regions);
    const spans = readOutputSpans(request);
    for (const span of spans.values()) regions.check(span);
    const outputs = await pool.run(job, signal);
    return {
      model_name: model.name,
      model_version: model.version,
      id: request.id ?? '',
      outputs: outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
      raw_output_contents: outputs.map((output) => deliver(output, spans.get(output.name), regions)),
    };
  });
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

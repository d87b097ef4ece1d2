import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type {
  ModelConfig,
  ModelIndex,
  ModelInferRequest,
  ModelInferResponse,
  ModelMetadata,
  ModelRef,
  ModelStatistics,
  ServerMetadata,
  SharedRegion,
} from './messages.ts';

type Empty = Readonly<Record<string, never>>;

interface RepositoryModel {
  readonly model_name: string;
  /** Another configuration, or files to load instead: nothing here sends or takes any. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** The calls of `inference.GRPCInferenceService` that are made or answered here. */
export interface KserveService {
  readonly ServerLive: MethodDefinition<Empty, { readonly live: boolean }>;
  readonly ServerReady: MethodDefinition<Empty, { readonly ready: boolean }>;
  readonly ServerMetadata: MethodDefinition<Empty, ServerMetadata>;
  readonly ModelReady: MethodDefinition<ModelRef, { readonly ready: boolean }>;
  readonly ModelMetadata: MethodDefinition<ModelRef, ModelMetadata>;
  readonly ModelConfig: MethodDefinition<ModelRef, { readonly config: ModelConfig | null }>;
  readonly RepositoryIndex: MethodDefinition<
    { readonly ready: boolean },
    { readonly models: readonly ModelIndex[] }
  >;
  readonly RepositoryModelLoad: MethodDefinition<RepositoryModel, Empty>;
  readonly RepositoryModelUnload: MethodDefinition<RepositoryModel, Empty>;
  readonly ModelStatistics: MethodDefinition<ModelRef, { readonly model_stats: readonly ModelStatistics[] }>;
  readonly ModelInfer: MethodDefinition<ModelInferRequest, ModelInferResponse>;
  readonly SystemSharedMemoryStatus: MethodDefinition<
    { readonly name: string },
    { readonly regions: Readonly<Record<string, SharedRegion>> }
  >;
  readonly SystemSharedMemoryRegister: MethodDefinition<SharedRegion, Empty>;
  readonly SystemSharedMemoryUnregister: MethodDefinition<{ readonly name: string }, Empty>;
}

/**
 * Largest message either side accepts, in bytes. A batch of eight 1024 x 1024 pictures as fp32 is
 * 96 MiB; grpc's own default of 4 MiB refuses a single one.
 */
export const MESSAGE_BYTES_MAX = 256 * 2 ** 20;

/**
 * HTTP/2 flow-control window in bytes. With the default of 64 KiB a tensor is sent in many rounds;
 * 8 MiB measured 60 % more throughput at 16 calls in flight.
 */
export const FLOW_CONTROL_BYTES = 8 * 2 ** 20;

/** Reads the protocol's definitions from `proto/`, for a client's calls or a server's handlers. */
export function loadKserveService(): KserveService {
  const protocol = loadSync('grpc_service.proto', {
    includeDirs: [import.meta.dirname + '/proto'],
    keepCase: true,
    // Counts and sizes stay far below 2^53, and numbers need no library to compare.
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  // The loader types every method as taking and giving `object`; the message types are ours, and
  // the tests compare them with the protocol on the wire.
  return protocol['inference.GRPCInferenceService'] as unknown as KserveService;
}

import type { MethodDefinition } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import type { Clock } from '../../kernel/clock.ts';
import { systemClock } from '../../kernel/clock.ts';
import type { Keepalive } from './channel.ts';
import { openChannel } from './channel.ts';
import { KserveError } from './errors.ts';
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
import { loadKserveService, MESSAGE_BYTES_MAX } from './service.ts';

// Answered without touching a model, so a server that needs longer is not well.
const PROBE_TIMEOUT_MS = 5_000;

export interface KserveOptions {
  /** `grpc://host:port` or `host:port`. */
  readonly address: string;
  /** Deadline of `modelInfer`: the longest that a healthy node may take for one call. */
  readonly callTimeoutMs: number;
  /** Deadline of every other call. Default: 5,000, or `callTimeoutMs` where that is less. */
  readonly probeTimeoutMs?: number;
  /**
   * Off by default, because a server ends the connection of a client that pings more often than
   * it allows, and Triton allows one ping in five minutes unless it is started with
   * `--grpc-http2-min-recv-ping-interval-without-data` (ms). Without it a hung server is found by
   * the deadline alone. The embedded node allows any interval.
   */
  readonly keepalive?: Keepalive;
  /** Largest answer that is accepted, in bytes. Default: `MESSAGE_BYTES_MAX`. */
  readonly answerBytesMax?: number;
  /** Deadlines are times of day that grpc compares with the machine's clock: give it that clock. */
  readonly clock?: Clock;
}

/**
 * One KServe v2 server. Every method rejects with a `KserveError`: DEADLINE_EXCEEDED at its
 * deadline, CANCELLED when `signal` fired first, UNAVAILABLE at once when nothing listens there.
 * Nothing is retried here. Owns its connection, which is opened by the first call, comes back by
 * itself, and is closed with the client; calls in flight then reject with CANCELLED.
 */
export interface KserveClient extends AsyncDisposable {
  readonly address: string;
  serverLive(signal?: AbortSignal): Promise<boolean>;
  serverReady(signal?: AbortSignal): Promise<boolean>;
  serverMetadata(signal?: AbortSignal): Promise<ServerMetadata>;
  /** False, not an error, for a model that the server does not know. */
  modelReady(model: ModelRef, signal?: AbortSignal): Promise<boolean>;
  modelMetadata(model: ModelRef, signal?: AbortSignal): Promise<ModelMetadata>;
  modelConfig(model: ModelRef, signal?: AbortSignal): Promise<ModelConfig>;
  /** Every model of the server's repositories, in whatever state. */
  repositoryIndex(signal?: AbortSignal): Promise<readonly ModelIndex[]>;
  /** Resolves when the model is ready, in the time of an inference. Does nothing when it is ready already. */
  loadModel(name: string, signal?: AbortSignal): Promise<void>;
  /** Resolves at once, also for unknown models: that a model is gone shows in `repositoryIndex`. */
  unloadModel(name: string, signal?: AbortSignal): Promise<void>;
  /** Of one model, or of all that are ready when `model` has no name. */
  modelStatistics(model: Partial<ModelRef>, signal?: AbortSignal): Promise<readonly ModelStatistics[]>;
  modelInfer(request: ModelInferRequest, signal?: AbortSignal): Promise<ModelInferResponse>;
  /** The regions of shared memory that the server knows, whoever registered them. */
  sharedRegions(signal?: AbortSignal): Promise<readonly SharedRegion[]>;
  /** From now on the server reads and writes this memory by the region's name; the name must be new to it. */
  registerRegion(region: SharedRegion, signal?: AbortSignal): Promise<void>;
  /** Succeeds also when the server does not know the region. */
  unregisterRegion(name: string, signal?: AbortSignal): Promise<void>;
}

/**
 * Prepares a client without touching the network. Throws a `StartError` when `address` cannot be
 * one. The caller disposes of the client.
 */
export function connectKserve(options: KserveOptions): KserveClient {
  const { address, callTimeoutMs, clock = systemClock } = options;
  const { probeTimeoutMs = Math.min(PROBE_TIMEOUT_MS, callTimeoutMs) } = options;
  const service = loadKserveService();
  const channel = openChannel(address, {
    keepalive: options.keepalive ?? null,
    answerBytesMax: options.answerBytesMax ?? MESSAGE_BYTES_MAX,
  });
  function call<Q, R>(method: MethodDefinition<Q, R>, request: Q, limit: Limit): Promise<R> {
    return channel.unary(method, request, {
      deadlineMs: clock.nowMs() + (limit.timeoutMs ?? probeTimeoutMs),
      signal: limit.signal,
    });
  }

  return {
    address,
    serverLive: async (signal) => (await call(service.ServerLive, {}, { signal })).live,
    serverReady: async (signal) => (await call(service.ServerReady, {}, { signal })).ready,
    serverMetadata: (signal) => call(service.ServerMetadata, {}, { signal }),
    modelReady: async (model, signal) => (await call(service.ModelReady, model, { signal })).ready,
    modelMetadata: (model, signal) => call(service.ModelMetadata, model, { signal }),
    async modelConfig(model, signal) {
      const { config } = await call(service.ModelConfig, model, { signal });
      if (config) return config;
      throw new KserveError(status.INTERNAL, `${address} sent no configuration for model '${model.name}'.`);
    },
    repositoryIndex: async (signal) =>
      (await call(service.RepositoryIndex, { ready: false }, { signal })).models,
    loadModel: async (name, signal) => {
      await call(service.RepositoryModelLoad, { model_name: name }, { timeoutMs: callTimeoutMs, signal });
    },
    unloadModel: async (name, signal) => {
      await call(service.RepositoryModelUnload, { model_name: name }, { signal });
    },
    modelStatistics: async ({ name = '', version = '' }, signal) =>
      (await call(service.ModelStatistics, { name, version }, { signal })).model_stats,
    modelInfer: (request, signal) => call(service.ModelInfer, request, { timeoutMs: callTimeoutMs, signal }),
    sharedRegions: async (signal) =>
      Object.values((await call(service.SystemSharedMemoryStatus, { name: '' }, { signal })).regions),
    registerRegion: async (region, signal) => {
      await call(service.SystemSharedMemoryRegister, region, { signal });
    },
    unregisterRegion: async (name, signal) => {
      // The protocol takes an empty name to mean every region, of every client.
      if (name !== '') await call(service.SystemSharedMemoryUnregister, { name }, { signal });
    },
    [Symbol.asyncDispose]: async () => channel.close(),
  };
}

interface Limit {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs?: number;
}

import type { KserveClient, ModelConfig, ModelIndex } from '../../platform/kserve/index.ts';
import { KserveError } from '../../platform/kserve/index.ts';
import { toEngineError } from './engine-errors.ts';

/** One served model as its node describes it. */
export interface NodeModel {
  readonly name: string;
  readonly version: string;
  /** Rows per call. */
  readonly maxBatch: number;
  /** Calls that run at the same time; more of them wait in the node. */
  readonly instances: number;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface NodeDescription {
  readonly address: string;
  /** What the server calls itself, and its version. */
  readonly server: string;
  readonly version: string;
  readonly live: boolean;
  /** False while it starts and while it drains: send it nothing new. */
  readonly ready: boolean;
  /** The models that can be called now. */
  readonly models: readonly NodeModel[];
}

/**
 * Asks a node what it is and what it serves. Rejects with an `EngineError` when it does not answer
 * (UNREACHABLE, TIMED_OUT) or `signal` fires first (CANCELLED).
 */
export async function describeNode(client: KserveClient, signal?: AbortSignal): Promise<NodeDescription> {
  try {
    const [server, live, ready, index] = await Promise.all([
      client.serverMetadata(signal),
      client.serverLive(signal),
      client.serverReady(signal),
      client.repositoryIndex(signal),
    ]);
    const callable = index.filter(({ state }) => state === 'READY');
    const models = await Promise.all(callable.map((entry) => describeModel(client, entry, signal)));
    const { name, version } = server;
    return { address: client.address, server: name, version, live, ready, models: models.filter(isPresent) };
  } catch (error) {
    throw toEngineError(error, `The node at ${client.address}`);
  }
}

async function describeModel(
  client: KserveClient,
  { name, version }: ModelIndex,
  signal: AbortSignal | undefined,
): Promise<NodeModel | null> {
  const config = await client.modelConfig({ name, version }, signal).catch((error: unknown) => {
    // Unloaded since the index was read.
    if (error instanceof KserveError && error.reason === 'NOT_LOADED') return null;
    throw error;
  });
  if (!config) return null;
  return {
    name,
    version,
    // 0 is a model without a batch dimension: it takes one row at a time.
    maxBatch: Math.max(1, config.max_batch_size),
    instances: instancesOf(config),
    inputs: config.input.map((input) => input.name),
    outputs: config.output.map((output) => output.name),
  };
}

function isPresent<T>(value: T | null): value is T {
  return value !== null;
}

function instancesOf({ instance_group }: ModelConfig): number {
  const counts = instance_group.map(({ count, gpus }) => count * Math.max(1, gpus.length));
  return Math.max(
    1,
    counts.reduce((sum, count) => sum + count, 0),
  );
}

import type { Engines } from './engines.ts';

/** One model that a node can run now. */
export interface ServedModel {
  /** `pico.unet_cfg` */
  readonly name: string;
  readonly version: string;
  /** Rows per call at most. */
  readonly maxBatch: number;
  /** Calls that run at the same time. */
  readonly instances: number;
}

/** What a node says of itself. */
export interface NodeReport {
  readonly server: string;
  readonly version: string;
  readonly ready: boolean;
  readonly models: readonly ServedModel[];
}

/** An open connection to one node; whoever made it disposes of it. */
export interface NodeConnection extends AsyncDisposable {
  readonly engines: Engines;
  /** Rejects with an `EngineError` when the node does not answer. */
  describe(signal: AbortSignal): Promise<NodeReport>;
  /** Lets the node let go of the model. Rejects with an `EngineError`, as where the node does not do that. */
  unload(model: string, signal: AbortSignal): Promise<void>;
  /** Resolves once the model can be called. Rejects as `unload` does. */
  load(model: string, signal: AbortSignal): Promise<void>;
}

/** Opens connections to nodes by their address, `grpc://host:port`. Connecting is lazy: it cannot fail here. */
export interface NodeConnector {
  connect(address: string): NodeConnection;
}

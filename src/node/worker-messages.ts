import type { Datatype } from '../platform/kserve/tensors.ts';

/** A tensor as it crosses threads: its bytes own their buffer, which is transferred, not copied. */
export interface RawTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One graph that a worker may be asked to run. */
export interface Graph {
  /** Absolute path of the graph; its weights lie beside it. */
  readonly file: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Whether a node that has just started keeps it loaded in one of its workers. */
  readonly isFirstNeeded: boolean;
}

export interface WorkerSettings {
  /** Loaded when they are first run, and kept. */
  readonly graphs: readonly Graph[];
  /** Those of them that this worker proves to be loadable before it says READY. */
  readonly checks: readonly Graph[];
  /** Threads that one inference may use. */
  readonly intraOpThreads: number;
}

/** One inference: `file` names the graph, `model` is what its caller knows it as. Without inputs it only loads the graph. */
export interface InferJob {
  readonly model: string;
  readonly file: string;
  /** What the caller calls the request, for what is said of it; empty when nothing. */
  readonly id: string;
  /** The most rows that one run of the graph may have. */
  readonly rowsMax: number;
  readonly inputs: readonly RawTensor[];
  readonly outputs: readonly string[];
}

/** Milliseconds that an inference took: reading its inputs, running the graph, and writing its outputs. */
export interface ComputeTimes {
  readonly inputMs: number;
  readonly inferMs: number;
  readonly outputMs: number;
}

export interface InferOutcome {
  readonly outputs: readonly RawTensor[];
  readonly times: ComputeTimes;
}

/** What a worker is told: jobs, one at a time, graphs to forget between them, and in the end to go. */
export type WorkerOrder =
  | { readonly kind: 'RUN'; readonly job: InferJob }
  | { readonly kind: 'RELEASE'; readonly file: string }
  | { readonly kind: 'CLOSE' };

/**
 * What a worker says: once READY or UNLOADABLE, then for each job in turn DONE, FAILED, or UNLOADABLE
 * when the job is the first for its graph and that has been damaged since the node started.
 */
export type WorkerMessage =
  | { readonly kind: 'READY' }
  | { readonly kind: 'UNLOADABLE'; readonly file: string; readonly reason: string }
  | ({ readonly kind: 'DONE' } & InferOutcome)
  | { readonly kind: 'FAILED'; readonly reason: string };

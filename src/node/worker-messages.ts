import type { Datatype } from '../platform/kserve/tensors.ts';

/** A tensor as it crosses threads: its bytes own their buffer, which is transferred, not copied. */
export interface RawTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One graph that a worker loads. */
export interface Graph {
  /** Absolute path of the graph; its weights lie beside it. */
  readonly file: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface WorkerSettings {
  readonly graphs: readonly Graph[];
  /** Threads that one inference may use. */
  readonly intraOpThreads: number;
}

/** One inference: `file` names the graph, `model` is what its caller knows it as. */
export interface InferJob {
  readonly model: string;
  readonly file: string;
  readonly inputs: readonly RawTensor[];
  readonly outputs: readonly string[];
}

/** What a worker is told: jobs, one at a time, and in the end to go. */
export type WorkerOrder = { readonly kind: 'RUN'; readonly job: InferJob } | { readonly kind: 'CLOSE' };

/** What a worker says: once READY or UNLOADABLE, then DONE or FAILED for each job, in turn. */
export type WorkerMessage =
  | { readonly kind: 'READY' }
  | { readonly kind: 'UNLOADABLE'; readonly file: string; readonly reason: string }
  | { readonly kind: 'DONE'; readonly outputs: readonly RawTensor[] }
  | { readonly kind: 'FAILED'; readonly reason: string };

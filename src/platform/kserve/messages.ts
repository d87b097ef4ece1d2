/**
 * The protocol's messages as the wire format gives them: snake_case names, every field present,
 * 64-bit integers as numbers, enums by name, bytes as Buffers. Fields of the protocol that nothing
 * here reads are left out; what a request does not set is sent as its default.
 */

/** A served model; an empty or missing version means the one that the server's policy chooses. */
export interface ModelRef {
  readonly name: string;
  readonly version?: string;
}

export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  /** Includes the batch dimension; -1 is a size that the caller chooses. */
  readonly shape: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

export interface ModelTensor {
  readonly name: string;
  /** `TYPE_FP32` and so on. */
  readonly data_type: string;
  /** Without the batch dimension when `max_batch_size` is above zero. */
  readonly dims: readonly number[];
}

export interface InstanceGroup {
  readonly name: string;
  readonly kind: 'KIND_AUTO' | 'KIND_GPU' | 'KIND_CPU' | 'KIND_MODEL';
  /** Per device of `gpus` where that list is not empty. */
  readonly count: number;
  readonly gpus: readonly number[];
}

export interface ModelConfig {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly version_policy: {
    readonly latest?: { readonly num_versions: number };
    readonly all?: object;
    readonly specific?: { readonly versions: readonly number[] };
  } | null;
  /** Rows per request; 0 means that the model has no batch dimension. */
  readonly max_batch_size: number;
  readonly input: readonly ModelTensor[];
  readonly output: readonly ModelTensor[];
  readonly instance_group: readonly InstanceGroup[];
  /** Set when the server runs requests that wait together as one. */
  readonly dynamic_batching?: object | null;
  readonly default_model_filename: string;
}

export interface ModelIndex {
  readonly name: string;
  readonly version: string;
  /** READY, LOADING, UNLOADING, UNAVAILABLE; a server may leave it empty for a model it never loaded. */
  readonly state: string;
  readonly reason: string;
}

/** How often something happened, and how long it took in all. */
export interface StatisticDuration {
  readonly count: number;
  /** Nanoseconds, summed over `count`. */
  readonly ns: number;
}

/** Of requests, since the model was loaded. */
export interface InferStatistics {
  /** Over the whole of a request. */
  readonly success: StatisticDuration;
  readonly fail: StatisticDuration;
  /** The parts of a request that succeeded: waiting, and its share of an execution. */
  readonly queue: StatisticDuration;
  readonly compute_input: StatisticDuration;
  readonly compute_infer: StatisticDuration;
  readonly compute_output: StatisticDuration;
}

/** Of executions with one number of rows. */
export interface InferBatchStatistics {
  readonly batch_size: number;
  readonly compute_input: StatisticDuration;
  readonly compute_infer: StatisticDuration;
  readonly compute_output: StatisticDuration;
}

export interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  /** Milliseconds since the epoch; 0 before the first. */
  readonly last_inference: number;
  /** Rows that were answered, whatever the executions that they ran in. */
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: InferStatistics;
  readonly batch_stats: readonly InferBatchStatistics[];
}

/** A tensor's elements in the field of its type, for clients that do not send raw bytes. */
export interface TensorContents {
  readonly bool_contents?: readonly boolean[];
  readonly int_contents?: readonly number[];
  readonly int64_contents?: readonly number[];
  readonly uint_contents?: readonly number[];
  readonly fp32_contents?: readonly number[];
}

/** One parameter of a request or of a tensor in it; one of the fields is set. */
export interface InferParameter {
  readonly bool_param?: boolean;
  readonly int64_param?: number;
  readonly string_param?: string;
}

export type InferParameters = Readonly<Record<string, InferParameter>>;

export interface InferInput extends TensorMetadata {
  /** With `regionParameters` the tensor's bytes lie in a registered region and nowhere in the request. */
  readonly parameters?: InferParameters;
  readonly contents?: TensorContents | null;
}

export interface InferRequestedOutput {
  readonly name: string;
  /** With `regionParameters` the bytes are written there, and the answer's entry is empty. */
  readonly parameters?: InferParameters;
}

/** Part of a POSIX shared memory object that a server knows by name. */
export interface SharedRegion {
  readonly name: string;
  /** As `shm_open` takes it: a slash and a name. */
  readonly key: string;
  readonly offset: number;
  readonly byte_size: number;
}

export interface ModelInferRequest {
  readonly model_name: string;
  readonly model_version?: string;
  /** Echoed in the answer. */
  readonly id?: string;
  readonly inputs: readonly InferInput[];
  /** Outputs to send back; empty or missing means all. */
  readonly outputs?: readonly InferRequestedOutput[];
  /** Little-endian bytes, one entry per input that lies in no region, in the order of `inputs`. */
  readonly raw_input_contents?: readonly Uint8Array[];
}

export interface ModelInferResponse {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly outputs: readonly TensorMetadata[];
  /** Little-endian bytes, one entry per output, in the order of `outputs`; alignment is not promised. */
  readonly raw_output_contents: readonly Uint8Array[];
}

import { status } from '@grpc/grpc-js';

/** What lies behind a status that means several things. */
export const KSERVE_REASONS = [
  'NOT_CONNECTED',
  'DRAINING',
  'OVERLOADED',
  'NOT_LOADED',
  'MISCONFIGURED',
  'TOO_LARGE',
  'OUT_OF_MEMORY',
  'WORKER_DIED',
  'BROKEN_ANSWER',
  'REGION_UNKNOWN',
] as const;
export type KserveReason = (typeof KSERVE_REASONS)[number];

// INTERNAL is absent on purpose: Triton uses it for a model that raised, and
// running a poisoned prompt on every node in turn takes the fleet down.
const RETRYABLE: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.RESOURCE_EXHAUSTED,
  status.ABORTED,
]);

interface Reading {
  readonly status: status;
  /** Part of the message; servers put a request id before it and details after it. */
  readonly text: string;
  readonly reason: KserveReason;
  readonly retryable?: boolean;
}

/**
 * The one place that reads message texts: where one status stands for things that need different
 * actions, the text is all there is. The first row that fits wins.
 */
const READINGS: readonly Reading[] = [
  // grpc-js's own, of a call that never left: a call that was cut off says otherwise.
  { status: status.UNAVAILABLE, text: 'No connection established', reason: 'NOT_CONNECTED' },
  // The server is about to end and takes no more: the embedded node's and Triton's words, then more of Triton's.
  { status: status.UNAVAILABLE, text: 'Server exiting', reason: 'DRAINING' },
  { status: status.UNAVAILABLE, text: 'Server is stopping', reason: 'DRAINING' },
  { status: status.UNAVAILABLE, text: 'is shutting down', reason: 'DRAINING' },
  { status: status.UNAVAILABLE, text: 'Server not ready', reason: 'DRAINING' },
  // Triton's queue policies. The node is well: slow down.
  { status: status.UNAVAILABLE, text: 'Exceeds maximum queue size', reason: 'OVERLOADED' },
  { status: status.UNAVAILABLE, text: 'Request timeout expired', reason: 'OVERLOADED' },
  // Between load and ready, or between ready and unload.
  { status: status.UNAVAILABLE, text: 'is not at ready state', reason: 'NOT_LOADED' },
  // A call that the server's administrator has closed stays closed however often it is tried.
  { status: status.UNAVAILABLE, text: 'protocol is restricted', reason: 'MISCONFIGURED', retryable: false },
  // The server has started again since the region was registered, or somebody unregistered it.
  { status: status.NOT_FOUND, text: 'shared memory region', reason: 'REGION_UNKNOWN' },
  // NOT_FOUND over gRPC, but INVALID_ARGUMENT from some versions of Triton.
  { status: status.NOT_FOUND, text: '', reason: 'NOT_LOADED' },
  { status: status.INVALID_ARGUMENT, text: 'Request for unknown model', reason: 'NOT_LOADED' },
  // Both ends' limits on message size; it is as large the next time.
  { status: status.RESOURCE_EXHAUSTED, text: 'larger than', reason: 'TOO_LARGE', retryable: false },
  { status: status.INVALID_ARGUMENT, text: "exceeds gRPC's byte size limit", reason: 'TOO_LARGE' },
  // ONNX Runtime's arena, then PyTorch; the memory may never come back.
  { status: status.INTERNAL, text: 'Failed to allocate memory', reason: 'OUT_OF_MEMORY' },
  { status: status.INTERNAL, text: 'out of memory', reason: 'OUT_OF_MEMORY' },
  // The process behind a model is gone.
  { status: status.INTERNAL, text: 'is not healthy', reason: 'WORKER_DIED' },
  // grpc-js's own: the bytes are no message, or the stream was reset below it.
  { status: status.INTERNAL, text: 'Response message parsing error', reason: 'BROKEN_ANSWER' },
  { status: status.INTERNAL, text: 'RST_STREAM', reason: 'BROKEN_ANSWER' },
];

/** A failed call: the gRPC status, what it means here, and whether the same call may succeed later. */
export class KserveError extends Error {
  override readonly name = 'KserveError';
  readonly status: status;
  /** Null when the status says all there is to say. */
  readonly reason: KserveReason | null;
  /** True when sending the same request again, after a pause or to another server, makes sense. */
  readonly retryable: boolean;

  constructor(code: status, message: string, cause?: unknown) {
    super(message, { cause });
    const reading = READINGS.find((each) => each.status === code && message.includes(each.text));
    this.status = code;
    this.reason = reading?.reason ?? null;
    this.retryable = reading?.retryable ?? RETRYABLE.has(code);
  }
}

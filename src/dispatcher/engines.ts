import type { TensorSpec } from '../kernel/manifest.ts';

/** A tensor in row-major order; the first dimension is the batch. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** The named inputs, or outputs, of one call: every tensor has the same number of rows. */
export type Rows = Readonly<Record<string, Tensor>>;

/** One served graph: `pico.unet_cfg`, version 1, on the node at `address`. */
export interface Part {
  readonly model: string;
  readonly version: string;
  readonly outputs: readonly TensorSpec[];
}

/**
 * Whose fault a failed call is: `node` means try again, elsewhere if there is an elsewhere;
 * `request` means that this job can never run as it stands.
 */
export type EngineFault = 'node' | 'request';

export const ENGINE_ERROR_CODES = [
  'UNREACHABLE',
  'TIMED_OUT',
  'DRAINING',
  'OVERLOADED',
  'NOT_LOADED',
  'REFUSED',
  'FAILED',
  'CRASHED',
  'BAD_ANSWER',
  'CANCELLED',
] as const;
export type EngineErrorCode = (typeof ENGINE_ERROR_CODES)[number];

export interface EngineErrorOptions {
  readonly fault: EngineFault;
  /** Default: true. */
  readonly wasSent?: boolean;
  readonly cause?: unknown;
}

/** A call that brought no usable answer. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: EngineErrorCode;
  readonly fault: EngineFault;
  /** False when the node cannot have seen any of the call: nothing in it did the node harm. */
  readonly wasSent: boolean;

  constructor(code: EngineErrorCode, message: string, { fault, wasSent = true, cause }: EngineErrorOptions) {
    super(message, { cause });
    this.code = code;
    this.fault = fault;
    this.wasSent = wasSent;
  }
}

/** The engines of one node. */
export interface Engines {
  /**
   * Runs one served part on rows stacked along the batch axis: one call, one answer per row, in
   * order. The answer has been checked against `part.outputs`: names, shapes and byte sizes agree.
   * Rejects with an `EngineError` whose `fault` says whose it is, and with code CANCELLED when
   * `signal` fired first.
   */
  infer(part: Part, rows: Rows, signal: AbortSignal): Promise<Rows>;
}

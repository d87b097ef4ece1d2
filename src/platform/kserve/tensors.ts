/** Element types of the protocol that can be encoded and decoded here. */
export const DATATYPES = ['FP32', 'FP16', 'INT32', 'INT64', 'UINT8', 'BOOL'] as const;
export type Datatype = (typeof DATATYPES)[number];

/** The elements of a tensor: FP16 as its bit patterns, BOOL as bytes of 0 and 1. */
export interface DataOf {
  readonly FP32: Float32Array<ArrayBuffer>;
  readonly FP16: Uint16Array<ArrayBuffer>;
  readonly INT32: Int32Array<ArrayBuffer>;
  readonly INT64: BigInt64Array<ArrayBuffer>;
  readonly UINT8: Uint8Array<ArrayBuffer>;
  readonly BOOL: Uint8Array<ArrayBuffer>;
}
export type TensorData = DataOf[Datatype];

const ARRAYS = {
  FP32: Float32Array,
  FP16: Uint16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  UINT8: Uint8Array,
  BOOL: Uint8Array,
} as const;

/** `text` as a datatype that is known here, or null. */
export function parseDatatype(text: string): Datatype | null {
  return DATATYPES.find((each) => each === text) ?? null;
}

/** Number of elements of a tensor. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes that a tensor of this type and shape has on the wire. */
export function byteSize(datatype: Datatype, shape: readonly number[]): number {
  return elementCount(shape) * ARRAYS[datatype].BYTES_PER_ELEMENT;
}

/**
 * The tensor's bytes as the protocol wants them: row-major, little-endian, which is the order of
 * every machine that Node and ONNX Runtime are both built for. A view of `data`, not a copy.
 */
export function encodeTensor(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * The elements of raw little-endian bytes, or null when `bytes` is not as long as the type and
 * shape say. A view of `bytes` where their alignment allows it (bytes within a received message
 * start anywhere), a copy otherwise.
 */
export function decodeTensor<D extends Datatype>(
  datatype: D,
  shape: readonly number[],
  bytes: Uint8Array,
): DataOf[D] | null {
  if (bytes.byteLength !== byteSize(datatype, shape)) return null;
  const array = ARRAYS[datatype];
  const aligned = bytes.byteOffset % array.BYTES_PER_ELEMENT === 0 && bytes.buffer instanceof ArrayBuffer;
  const { buffer, byteOffset } = aligned ? bytes : new Uint8Array(bytes);
  // The table pairs each type with its array; TypeScript does not follow an indexed constructor.
  return new array(buffer as ArrayBuffer, byteOffset, elementCount(shape)) as DataOf[D];
}

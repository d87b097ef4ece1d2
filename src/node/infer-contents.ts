import type { Datatype, InferInput, ModelInferRequest, TensorContents } from '../platform/kserve/index.ts';
import { encodeTensor, KserveError, readRegionParameters, status } from '../platform/kserve/index.ts';
import type { SharedRegions } from './shared-regions.ts';

/** How the elements of one type travel outside raw bytes, for the types that can. */
interface Field {
  readonly name: keyof TensorContents;
  readonly bytes: (contents: TensorContents) => Uint8Array;
}

const FIELD_OF: Readonly<Partial<Record<string, Field>>> = {
  FP32: {
    name: 'fp32_contents',
    bytes: ({ fp32_contents = [] }) => encodeTensor(Float32Array.from(fp32_contents)),
  },
  INT32: {
    name: 'int_contents',
    bytes: ({ int_contents = [] }) => encodeTensor(Int32Array.from(int_contents)),
  },
  INT64: {
    name: 'int64_contents',
    bytes: ({ int64_contents = [] }) => encodeTensor(BigInt64Array.from(int64_contents, BigInt)),
  },
  UINT8: { name: 'uint_contents', bytes: ({ uint_contents = [] }) => Uint8Array.from(uint_contents) },
  BOOL: { name: 'bool_contents', bytes: ({ bool_contents = [] }) => Uint8Array.from(bool_contents, Number) },
} satisfies Partial<Record<Datatype, Field>>;

/**
 * The bytes of each input, from its typed field, the raw contents or a region of shared memory, in the order of
 * the inputs. They own their buffer. Throws a `KserveError`: INVALID_ARGUMENT when an input has no bytes or two
 * kinds of them, and what `SharedRegions.read` throws.
 */
export function readContents(
  request: ModelInferRequest,
  regions: SharedRegions,
): readonly Uint8Array<ArrayBuffer>[] {
  const raw = request.raw_input_contents ?? [];
  const next = raw.values();
  return request.inputs.map((input) => {
    const span = readRegionParameters(input.parameters);
    if (span) return regions.read(span);
    const where = `'${input.name}' for model '${request.model_name}'`;
    if (raw.length > 0 && input.contents)
      throw invalid(`contents field must not be specified when using raw_input_contents for ${where}`);
    const bytes = raw.length > 0 ? next.next().value : readField(input, where);
    if (!bytes) throw invalid(`unable to find data for input tensor ${where} in request.`);
    // Copied: the message's buffer holds all tensors, and each travels to its worker by itself.
    return new Uint8Array(bytes);
  });
}

function readField({ contents, datatype }: InferInput, where: string): Uint8Array | null {
  if (!contents) return null;
  const field = FIELD_OF[datatype];
  const used = Object.keys(contents).find((name) => isFilled(contents, name));
  if (!field || (used !== undefined && used !== field.name))
    throw invalid(
      `unexpected explicit tensor data in '${used}' for input tensor ${where}, expected datatype '${datatype}'`,
    );
  return field.bytes(contents);
}

function isFilled(contents: TensorContents, name: string): boolean {
  const values: unknown = Object.entries(contents).find(([each]) => each === name)?.[1];
  return Array.isArray(values) && values.length > 0;
}

function invalid(text: string): KserveError {
  return new KserveError(status.INVALID_ARGUMENT, text);
}

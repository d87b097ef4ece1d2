import type { Datatype, InferInput, ModelInferRequest, TensorContents } from '../platform/kserve/index.ts';
import { encodeTensor, KserveError, status } from '../platform/kserve/index.ts';

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
 * The bytes of each input, raw or from its typed field, in the order of the inputs; views of the
 * message where they are raw. Throws a `KserveError` INVALID_ARGUMENT when an input has neither or both.
 */
export function readContents(request: ModelInferRequest): readonly Uint8Array[] {
  const raw = request.raw_input_contents ?? [];
  return request.inputs.map((input, at) => {
    const where = `'${input.name}' for model '${request.model_name}'`;
    if (raw.length > 0 && input.contents)
      throw invalid(`contents field must not be specified when using raw_input_contents for ${where}`);
    const bytes = raw[at] ?? (raw.length === 0 ? readField(input, where) : null);
    if (!bytes) throw invalid(`unable to find data for input tensor ${where} in request.`);
    return bytes;
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

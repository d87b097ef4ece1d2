import type { InferInput, ModelInferRequest, RegionSpan } from '../platform/kserve/index.ts';
import {
  byteSize,
  KserveError,
  parseDatatype,
  readRegionParameters,
  status,
} from '../platform/kserve/index.ts';
import { readContents } from './infer-contents.ts';
import type { ServedModel, ServedTensor } from './served-models.ts';
import type { SharedRegions } from './shared-regions.ts';
import type { InferJob } from './worker-messages.ts';

// The checks are Triton's, in Triton's order and words (read from a running 2.51), so that a
// client's handling of its errors is right here too.

/** One input, what the model expects of it, and its bytes. */
interface Given {
  readonly input: InferInput;
  readonly spec: ServedTensor;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * What a worker needs to run `request` on `model`: inputs checked and copied out of the message and of
 * `regions`. Throws a `KserveError`: INVALID_ARGUMENT, or NOT_FOUND for a region.
 */
export function readInferRequest(
  model: ServedModel,
  request: ModelInferRequest,
  regions: SharedRegions,
): InferJob {
  const contents = readContents(request, regions);
  const outputs = readRequestedOutputs(model, request);
  const fault = findWrongInputs(model, request);
  if (fault !== null) throw invalid(request, fault);
  const given = request.inputs.map((input, at) => pair(model, input, contents[at]));
  const wrong = findWrongBatch(model, request.inputs) ?? findFirst(given, (each) => findWrong(model, each));
  if (wrong !== null) throw invalid(request, wrong);
  return {
    model: model.name,
    file: model.file,
    id: request.id ?? '',
    rowsMax: model.maxBatch,
    outputs,
    inputs: given.map(({ input, spec, bytes }) => ({
      name: spec.name,
      datatype: spec.datatype,
      shape: input.shape,
      bytes,
    })),
  };
}

/** Where outputs are to be written, by their names; those that are missing go into the answer. */
export function readOutputSpans({ outputs = [] }: ModelInferRequest): ReadonlyMap<string, RegionSpan> {
  const spans = new Map<string, RegionSpan>();
  for (const { name, parameters } of outputs) {
    const span = readRegionParameters(parameters);
    if (span) spans.set(name, span);
  }
  return spans;
}

function readRequestedOutputs(model: ServedModel, request: ModelInferRequest): readonly string[] {
  const known = model.outputs.map(({ name }) => name);
  const wanted = (request.outputs ?? []).map(({ name }) => name);
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new KserveError(
      status.INVALID_ARGUMENT,
      `unexpected inference output '${unknown}' for model '${model.name}'`,
    );
  return wanted.length > 0 ? [...new Set(wanted)] : known;
}

function findWrongInputs(model: ServedModel, { inputs }: ModelInferRequest): string | null {
  const got = inputs.map(({ name }) => name);
  const known = model.inputs.map(({ name }) => name);
  const twice = got.find((name, at) => got.indexOf(name) !== at);
  if (twice !== undefined) return `input '${twice}' already exists in request`;
  if (got.length === known.length) return null;
  const missing = known.filter((name) => !got.includes(name));
  return (
    `expected ${known.length} inputs but got ${got.length} inputs for model '${model.name}'. ` +
    `Got input(s) [${quoted(got)}], but missing required input(s) [${quoted(missing)}]. ` +
    'Please provide all required input(s).'
  );
}

function pair(
  model: ServedModel,
  input: InferInput,
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(),
): Given {
  const spec = model.inputs.find(({ name }) => name === input.name);
  if (spec) return { input, spec, bytes };
  throw new KserveError(
    status.INVALID_ARGUMENT,
    `unexpected inference input '${input.name}' for model '${model.name}'`,
  );
}

function findWrongBatch(model: ServedModel, inputs: readonly InferInput[]): string | null {
  const scalar = inputs.find(({ shape }) => shape.length === 0);
  if (scalar)
    return `input '${scalar.name}' has no shape but model requires batch dimension for '${model.name}'`;
  const rows = inputs[0]?.shape[0] ?? 0;
  const other = inputs.find(({ shape }) => shape[0] !== rows);
  if (other) return `input '${other.name}' batch size does not match other inputs for '${model.name}'`;
  if (rows > model.maxBatch)
    return `inference request batch-size must be <= ${model.maxBatch} for '${model.name}'`;
  return rows < 1 ? `inference request batch-size must be >= 1 for '${model.name}'` : null;
}

function findWrong(model: ServedModel, given: Given): string | null {
  return findWrongType(model, given) ?? findWrongShape(model, given) ?? findWrongSize(model, given);
}

function findWrongType(model: ServedModel, { input: { name, datatype }, spec }: Given): string | null {
  const got = parseDatatype(datatype) ?? '<invalid>';
  return got === spec.datatype
    ? null
    : `inference input '${name}' data-type is '${got}', but model '${model.name}' expects '${spec.datatype}'`;
}

function findWrongShape(model: ServedModel, { input: { name, shape }, spec }: Given): string | null {
  if (shape.some((size) => size < 0))
    return `All input dimensions should be specified for input '${name}' for model '${model.name}', got [${shape}]`;
  const fits =
    shape.length === spec.shape.length &&
    spec.shape.every((size, axis) => (size === -1 ? (shape[axis] ?? 0) > 0 : size === shape[axis]));
  return fits
    ? null
    : `unexpected shape for input '${name}' for model '${model.name}'. Expected [${spec.shape}], got [${shape}]. ` +
        'NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be prepended to each input shape. ' +
        'If you want to specify the full shape including the batch dim in your input dims config, try setting max_batch_size to zero. ' +
        'See the model configuration docs for more info on max_batch_size.';
}

function findWrongSize(model: ServedModel, { input: { name, shape }, spec, bytes }: Given): string | null {
  const expected = byteSize(spec.datatype, shape);
  return bytes.byteLength === expected
    ? null
    : `input byte size mismatch for input '${name}' for model '${model.name}'. Expected ${expected}, got ${bytes.byteLength}`;
}

function findFirst<T>(items: readonly T[], find: (item: T) => string | null): string | null {
  for (const item of items) {
    const fault = find(item);
    if (fault !== null) return fault;
  }
  return null;
}

function invalid({ id = '' }: ModelInferRequest, text: string): KserveError {
  return new KserveError(status.INVALID_ARGUMENT, ofRequest(id, text));
}

/** Triton puts the request's id before what it says of one request. */
export function ofRequest(id: string, text: string): string {
  return `[request id: ${id || '<id_unknown>'}] ${text}`;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(',');
}

import type { Engines, Part, Rows, Tensor } from '../../dispatcher/engines.ts';
import { EngineError } from '../../dispatcher/engines.ts';
import type { TensorSpec, TensorType } from '../../kernel/manifest.ts';
import type {
  Datatype,
  ModelInferRequest,
  ModelInferResponse,
  TensorMetadata,
} from '../../platform/kserve/index.ts';
import { byteSize, decodeTensor, encodeTensor } from '../../platform/kserve/index.ts';
import { toEngineError } from './engine-errors.ts';
import type { Route } from './share-inputs.ts';
import { inferShared } from './share-inputs.ts';

type PortDatatype = Extract<Datatype, 'FP32' | 'INT32' | 'UINT8' | 'BOOL'>;

// The port carries what the engine contract uses; half-precision engines convert inside the graph.
const DATATYPE_OF: Readonly<Partial<Record<TensorType, PortDatatype>>> = {
  float: 'FP32',
  int32: 'INT32',
  uint8: 'UINT8',
  bool: 'BOOL',
};

/**
 * The dispatcher's port on one KServe v2 server. Nothing is retried here: the dispatcher decides
 * where a call goes next. The client and the regions stay the caller's.
 */
export function createEngines(route: Route): Engines {
  return {
    async infer(part, rows, signal) {
      const request = encodeRequest(part, rows);
      const answer = await inferShared(route, request, signal).catch((error: unknown) => {
        throw toEngineError(error, `${part.model} on ${route.client.address}`);
      });
      return readAnswer(part, rowCount(rows), answer);
    },
  };
}

function encodeRequest(part: Part, rows: Rows): ModelInferRequest {
  const tensors = Object.entries(rows);
  return {
    model_name: part.model,
    model_version: part.version,
    inputs: tensors.map(([name, { data, shape }]) => ({ name, datatype: datatypeOfData(data), shape })),
    // Named so that outputs nobody asked for (a text encoder has one per clip skip) do not travel.
    outputs: part.outputs.map(({ name }) => ({ name })),
    raw_input_contents: tensors.map(([, { data }]) => encodeTensor(data)),
  };
}

function datatypeOfData(data: Tensor['data']): PortDatatype {
  if (data instanceof Float32Array) return 'FP32';
  return data instanceof Int32Array ? 'INT32' : 'UINT8';
}

function rowCount(rows: Rows): number {
  return Object.values(rows)[0]?.shape[0] ?? 0;
}

function readAnswer(part: Part, rows: number, answer: ModelInferResponse): Rows {
  // A node that was given another version of the model would change a picture half-way through.
  if (part.version !== '' && answer.model_version !== part.version)
    throw badAnswer(part, `version ${part.version} was asked for and ${answer.model_version} answered`);
  return Object.fromEntries(
    part.outputs.map((spec) => [spec.name, readOutput(part, { spec, rows, answer })]),
  );
}

interface Expected {
  readonly spec: TensorSpec;
  readonly rows: number;
  readonly answer: ModelInferResponse;
}

function readOutput(part: Part, { spec, rows, answer }: Expected): Tensor {
  const at = answer.outputs.findIndex(({ name }) => name === spec.name);
  const output = answer.outputs[at];
  const bytes = answer.raw_output_contents[at];
  if (!output || !bytes) throw badAnswer(part, `output '${spec.name}' is missing`);

  const datatype = DATATYPE_OF[spec.type];
  if (!datatype)
    throw new EngineError(
      'REFUSED',
      `Output '${spec.name}' of ${part.model} is ${spec.type}, which no step can use.`,
      { fault: 'request' },
    );
  if (output.datatype !== datatype || !fits(output, spec, rows))
    throw badAnswer(
      part,
      `output '${spec.name}' is ${output.datatype} [${output.shape}], not ${datatype} [${[rows, ...spec.shape.slice(1)]}]`,
    );
  const data = decodeTensor(datatype, output.shape, bytes);
  // Triton can answer OK with empty outputs when its memory has run out.
  if (!data)
    throw badAnswer(
      part,
      `output '${spec.name}' has ${bytes.byteLength} bytes, not the ${byteSize(datatype, output.shape)} of its shape`,
    );
  return { shape: output.shape, data };
}

function fits({ shape }: TensorMetadata, spec: TensorSpec, rows: number): boolean {
  const expected = [rows, ...spec.shape.slice(1)];
  return (
    shape.length === expected.length &&
    expected.every((size, axis) => (size === -1 ? (shape[axis] ?? 0) > 0 : size === shape[axis]))
  );
}

function badAnswer(part: Part, what: string): EngineError {
  return new EngineError('BAD_ANSWER', `${part.model} answered wrongly: ${what}.`, { fault: 'node' });
}

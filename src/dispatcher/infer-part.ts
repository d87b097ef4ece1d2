import type { Part, Rows, Tensor } from './engines.ts';
import { EngineError } from './engines.ts';
import type { Run } from './run.ts';

/**
 * Calls one part for a run, in as few calls as the engine's batch limit allows, and returns the one
 * output named. Only a lost run's calls are cut short: an engine would not stop for it anyway.
 */
export async function inferPart(
  run: Run,
  call: { readonly part: string; readonly output: string },
  rows: Rows,
): Promise<Tensor> {
  const { name, version, parts } = run.version.manifest;
  const outputs = parts[call.part]?.outputs.filter((output) => output.name === call.output) ?? [];
  const part: Part = { model: `${name}.${call.part}`, version: `${version}`, outputs };
  const rowsMax = run.engine.maxBatch.get(call.part);
  if (rowsMax === undefined || outputs.length === 0) {
    throw new EngineError('NOT_LOADED', `${run.node.node.name} does not serve ${part.model}.`, {
      fault: 'node',
    });
  }
  const answers: Tensor[] = [];
  for (const chunk of chunksOf(rows, rowsMax)) {
    const answer = await run.node.connection.engines.infer(part, chunk, run.lost.signal);
    const tensor = answer[call.output];
    if (!tensor)
      throw new EngineError('BAD_ANSWER', `${part.model} answered without ${call.output}.`, {
        fault: 'node',
      });
    answers.push(tensor);
  }
  return concatRows(answers);
}

function chunksOf(rows: Rows, rowsMax: number): readonly Rows[] {
  const count = Object.values(rows)[0]?.shape[0] ?? 0;
  if (count <= rowsMax) return [rows];
  const starts = Array.from({ length: Math.ceil(count / rowsMax) }, (_, index) => index * rowsMax);
  return starts.map((start) =>
    Object.fromEntries(
      Object.entries(rows).map(([name, tensor]) => [
        name,
        sliceRows(tensor, start, Math.min(count, start + rowsMax)),
      ]),
    ),
  );
}

/** Rows `from` to `to` of a tensor, sharing its memory. */
export function sliceRows({ shape, data }: Tensor, from: number, to: number): Tensor {
  const [count = 1, ...rest] = shape;
  const size = data.length / count;
  return { shape: [to - from, ...rest], data: data.subarray(from * size, to * size) };
}

function concatRows(tensors: readonly Tensor[]): Tensor {
  const [first, ...others] = tensors;
  if (!first) throw new RangeError('There is nothing to concatenate.');
  if (others.length === 0) return first;
  const length = tensors.reduce((sum, tensor) => sum + tensor.data.length, 0);
  const data =
    first.data instanceof Float32Array
      ? new Float32Array(length)
      : first.data instanceof Int32Array
        ? new Int32Array(length)
        : new Uint8Array(length);
  let offset = 0;
  for (const tensor of tensors) {
    data.set(tensor.data, offset);
    offset += tensor.data.length;
  }
  const rowCount = tensors.reduce((sum, tensor) => sum + (tensor.shape[0] ?? 0), 0);
  return { shape: [rowCount, ...first.shape.slice(1)], data };
}

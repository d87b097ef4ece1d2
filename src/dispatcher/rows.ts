import type { Rows, Tensor } from './engines.ts';

/** How many rows a call's tensors have. */
export function rowCount(rows: Rows): number {
  return Object.values(rows)[0]?.shape[0] ?? 0;
}

/** Rows `from` to `to` of a tensor, sharing its memory. */
export function sliceTensor({ shape, data }: Tensor, from: number, to: number): Tensor {
  const [count = 1, ...rest] = shape;
  const size = data.length / count;
  return { shape: [to - from, ...rest], data: data.subarray(from * size, to * size) };
}

/** Rows `from` to `to` of every tensor, sharing their memory. */
export function sliceRows(rows: Rows, from: number, to: number): Rows {
  return Object.fromEntries(
    Object.entries(rows).map(([name, tensor]) => [name, sliceTensor(tensor, from, to)]),
  );
}

/** One row of zeros, formed as these are: a call that is made of it says nothing of whose they were. */
export function blankRow(rows: Rows): Rows {
  return Object.fromEntries(
    Object.entries(rows).map(([name, { shape, data }]) => {
      const [count = 1, ...rest] = shape;
      return [name, { shape: [1, ...rest], data: emptyLike(data, data.length / count) }];
    }),
  );
}

/** Stacks the rows of several requests along the batch axis. All must have the same tensors but for their count. */
export function stackRows(parts: readonly Rows[]): Rows {
  const [first, ...others] = parts;
  if (!first || others.length === 0) return first ?? {};
  return Object.fromEntries(
    Object.keys(first).map((name) => [name, stackTensors(parts.flatMap((part) => part[name] ?? []))]),
  );
}

function stackTensors(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  if (!first) throw new RangeError('There is nothing to stack.');
  const length = tensors.reduce((sum, { data }) => sum + data.length, 0);
  const data = emptyLike(first.data, length);
  let offset = 0;
  for (const tensor of tensors) {
    data.set(tensor.data, offset);
    offset += tensor.data.length;
  }
  const count = tensors.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  return { shape: [count, ...first.shape.slice(1)], data };
}

function emptyLike(data: Tensor['data'], length: number): Tensor['data'] {
  if (data instanceof Float32Array) return new Float32Array(length);
  return data instanceof Int32Array ? new Int32Array(length) : new Uint8Array(length);
}

import type { InferJob, RawTensor } from './worker-messages.ts';

// Requests of one model that wait at the same time run as one, as under Triton's dynamic batching.

/** Jobs with equal keys may run as one: all but the number of their rows is the same. */
export function batchKeyOf({ model, inputs, outputs }: InferJob): string {
  const shapes = inputs.map(({ name, datatype, shape }) => [name, datatype, ...shape.slice(1)].join(' '));
  return [model, ...outputs, ...shapes.toSorted()].join('\n');
}

/** Rows of a job; 0 when it only loads its graph. */
export function rowsOf({ inputs }: InferJob): number {
  return inputs[0]?.shape[0] ?? 0;
}

/**
 * One job of all rows, in the order of `jobs`, which have equal keys. A job alone is itself, and a thread that
 * runs it takes its bytes over; of several each keeps its own, in case it has to run again.
 */
export function joinJobs(jobs: readonly InferJob[]): InferJob {
  const [first, ...others] = jobs;
  if (!first) throw new Error('no job to run');
  if (others.length === 0) return first;
  const inputs = first.inputs.map((input): RawTensor => {
    const parts = [input, ...others.flatMap((job) => job.inputs.filter(({ name }) => name === input.name))];
    const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
    return { ...input, shape: [rows, ...input.shape.slice(1)], bytes: concat(parts) };
  });
  return { ...first, inputs };
}

/**
 * The outputs of a joined job as each of its jobs would have got them, `rows` being theirs; null when an
 * output does not have one row for each.
 */
export function splitOutputs(
  outputs: readonly RawTensor[],
  rows: readonly number[],
): readonly (readonly RawTensor[])[] | null {
  if (rows.length === 1) return [outputs];
  const total = rows.reduce((sum, each) => sum + each, 0);
  if (outputs.some(({ shape }) => shape[0] !== total)) return null;
  let start = 0;
  return rows.map((count) => {
    const from = start;
    start += count;
    return outputs.map((output) => rowsFrom(output, from, count));
  });
}

function rowsFrom(output: RawTensor, from: number, count: number): RawTensor {
  const rowBytes = output.bytes.byteLength / (output.shape[0] ?? 1);
  const bytes = output.bytes.subarray(from * rowBytes, (from + count) * rowBytes);
  return { ...output, shape: [count, ...output.shape.slice(1)], bytes };
}

function concat(parts: readonly RawTensor[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { bytes }) => sum + bytes.byteLength, 0));
  let at = 0;
  for (const { bytes } of parts) {
    whole.set(bytes, at);
    at += bytes.byteLength;
  }
  return whole;
}

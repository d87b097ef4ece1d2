import { join } from 'node:path';
import type { NodeLogger, NodeOptions, RunningNode } from '../../src/node/index.ts';
import { startNode } from '../../src/node/index.ts';
import type { Bundle } from '../../src/platform/bundles/index.ts';
import { openBundle } from '../../src/platform/bundles/index.ts';
import type { InferInput, ModelInferRequest } from '../../src/platform/kserve/index.ts';
import { encodeTensor } from '../../src/platform/kserve/index.ts';

const MODELS = join(import.meta.dirname, '../../deploy/models');

/** A logger for tests that are not about the log. */
export const silent: NodeLogger = { info: () => {}, warn: () => {}, error: () => {} };

/** The embedded bundle. */
export function openPico(): Promise<Bundle> {
  return openBundle(join(MODELS, 'pico'));
}

/** Pico cut down to the parts that a test calls, so that it starts in a fraction of the time. */
export async function openPicoParts(...parts: readonly string[]): Promise<Bundle> {
  const pico = await openPico();
  const chosen = Object.entries(pico.manifest.parts).filter(([part]) => parts.includes(part));
  return { ...pico, manifest: { ...pico.manifest, parts: Object.fromEntries(chosen) } };
}

/** The embedded node with pico, on a free port of the loopback. */
export async function startPicoNode(options: Partial<NodeOptions> = {}): Promise<RunningNode> {
  return startNode({ bundles: options.bundles ?? [await openPico()], logger: silent, ...options });
}

export interface TestTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

export type TestTensors = Readonly<Record<string, TestTensor>>;

/** A request with raw tensors, as every client of the protocol sends it. */
export function inferRequest(model: string, tensors: TestTensors): ModelInferRequest {
  const entries = Object.entries(tensors);
  return {
    model_name: model,
    inputs: entries.map(([name, { shape, data }]): InferInput => {
      return { name, shape, datatype: data instanceof Int32Array ? 'INT32' : 'FP32' };
    }),
    raw_input_contents: entries.map(([, { data }]) => encodeTensor(data)),
  };
}

/** One row of `pico.unet_cfg`'s inputs, different for each `row`; `size` is the latents' side. */
export function unetRow(row: number, size = 16): TestTensors {
  const wave = (shape: readonly number[], phase: number): TestTensor => {
    const length = shape.reduce((product, each) => product * each, 1);
    return { shape, data: Float32Array.from({ length }, (_, i) => Math.sin(i * 0.37 + phase + row)) };
  };
  const scalar = (value: number): TestTensor => ({ shape: [1, 1], data: Float32Array.of(value) });
  return {
    sample: wave([1, 4, size, size], 0.1),
    timestep: scalar(901 - 100 * row),
    encoder_hidden_states: wave([1, 77, 128], 0.2),
    uncond_hidden_states: wave([1, 77, 128], 0.3),
    guidance: scalar(1.5 + row),
  };
}

/** Rows stacked along the batch axis. */
export function stackRows(rows: readonly TestTensors[]): TestTensors {
  const [first = {}] = rows;
  return Object.fromEntries(
    Object.entries(first).map(([name, { shape }]) => {
      const data = Float32Array.from(rows.flatMap((row) => [...(row[name]?.data ?? [])]));
      return [name, { shape: [rows.length, ...shape.slice(1)], data }];
    }),
  );
}

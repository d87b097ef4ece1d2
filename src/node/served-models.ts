import { posix } from 'node:path';
import type { TensorSpec, TensorType } from '../kernel/manifest.ts';
import type { Bundle } from '../platform/bundles/index.ts';
import type {
  Datatype,
  ModelConfig,
  ModelMetadata,
  ModelRef,
  ModelTensor,
} from '../platform/kserve/index.ts';
import { KserveError, status } from '../platform/kserve/index.ts';
import type { Graph } from './worker-messages.ts';

export interface ServedTensor {
  readonly name: string;
  readonly datatype: Datatype;
  /** With the batch dimension, which is -1. */
  readonly shape: readonly number[];
}

/** One part of a bundle as clients see it. */
export interface ServedModel {
  /** `<variant>.<part>`. */
  readonly name: string;
  /** The bundle's, in decimal digits: it is the only one there is. */
  readonly version: string;
  /** Absolute path of its graph. Models with the same path share a worker's session. */
  readonly file: string;
  /** Whether the first picture after a start needs it. */
  readonly isFirstNeeded: boolean;
  readonly maxBatch: number;
  readonly inputs: readonly ServedTensor[];
  readonly outputs: readonly ServedTensor[];
}

export type ServedModels = ReadonlyMap<string, ServedModel>;

const PLATFORM = 'onnxruntime_onnx';

const DATATYPE_OF: Readonly<Record<TensorType, Datatype>> = {
  float: 'FP32',
  float16: 'FP16',
  int32: 'INT32',
  int64: 'INT64',
  uint8: 'UINT8',
  bool: 'BOOL',
};

// What draws a picture from a prompt. Other variants of a family wait until somebody asks for them.
const FIRST_NEEDED: ReadonlySet<string> = new Set(['text_encoder', 'unet_cfg', 'vae_decoder']);

/** Parts of which graph and weights are the same, byte for byte, get the file of the first of them. */
export function modelsOf(bundles: readonly Bundle[]): ServedModels {
  const fileOf = new Map<string, string>();
  const shared = (content: string, file: string) => {
    if (!fileOf.has(content)) fileOf.set(content, file);
    return fileOf.get(content) ?? file;
  };
  const models = bundles.flatMap((bundle) =>
    Object.entries(bundle.manifest.parts).map(([part, spec]) => ({
      name: `${bundle.manifest.name}.${part}`,
      version: `${bundle.manifest.version}`,
      file: shared(contentOf(bundle, part), bundle.partPath(part)),
      isFirstNeeded: bundle.manifest.base === undefined && FIRST_NEEDED.has(part),
      maxBatch: spec.maxBatch,
      inputs: spec.inputs.map(toServed),
      outputs: spec.outputs.map(toServed),
    })),
  );
  return new Map(models.map((model) => [model.name, model]));
}

/** The digests of all that a session of the part is made from, or the graph's path if none are known. */
function contentOf({ manifest, partPath }: Bundle, part: string): string {
  const { file = '' } = manifest.parts[part] ?? {};
  const graph = manifest.digests[file];
  if (graph === undefined) return partPath(part);
  const weights = Object.entries(manifest.digests).filter(
    ([name]) => posix.dirname(name) === posix.dirname(file) && name.endsWith('.safetensors'),
  );
  return [graph, ...weights.map(([, digest]) => digest).toSorted()].join(' ');
}

/** Each graph once, with all that the models served from it promise. */
export function graphsOf(models: ServedModels): readonly Graph[] {
  const sharing = Map.groupBy(models.values(), ({ file }) => file);
  return [...sharing].map(([file, served]) => ({
    file,
    inputs: namesOf(served.flatMap(({ inputs }) => inputs)),
    outputs: namesOf(served.flatMap(({ outputs }) => outputs)),
    isFirstNeeded: served.some(({ isFirstNeeded }) => isFirstNeeded),
  }));
}

function namesOf(tensors: readonly ServedTensor[]): readonly string[] {
  return [...new Set(tensors.map(({ name }) => name))];
}

/**
 * Divides what a start has to check among the workers. Those that the first picture needs come to the
 * first worker: it keeps them, and so a picture that is drawn alone loads nothing.
 */
export function shareOut(graphs: readonly Graph[], workers: number): readonly (readonly Graph[])[] {
  const others = graphs.filter(({ isFirstNeeded }) => !isFirstNeeded);
  const checkers = Math.max(1, workers - 1);
  return Array.from({ length: workers }, (_, place) => [
    ...(place === 0 ? graphs.filter(({ isFirstNeeded }) => isFirstNeeded) : []),
    ...others.filter((_graph, i) => workers - 1 - (i % checkers) === place),
  ]);
}

/**
 * The model, in Triton's words otherwise: a `KserveError` NOT_FOUND, or INVALID_ARGUMENT for a
 * version that is not a number. An empty version means the newest.
 */
export function findModel(models: ServedModels, { name, version = '' }: ModelRef): ServedModel {
  const model = models.get(name);
  const isVersionServed = isServedVersion(version, model);
  if (!model) throw unknownModel(`'${name}'`);
  if (!isVersionServed) throw unknownModel(`'${name}' version ${version}`);
  return model;
}

/** Whether the model has this version. Throws a `KserveError` INVALID_ARGUMENT for one that is not a number. */
export function isServedVersion(version: string, model: ServedModel | undefined): boolean {
  if (version !== '' && !/^\d+$/.test(version))
    throw new KserveError(
      status.INVALID_ARGUMENT,
      `failed to get model version from specified version string '${version}' (details: stol), version should be an integral value > 0`,
    );
  return model !== undefined && (version === '' || Number(version) === Number(model.version));
}

function unknownModel(what: string): KserveError {
  return new KserveError(status.NOT_FOUND, `Request for unknown model: ${what} is not found`);
}

export function metadataOf(model: ServedModel): ModelMetadata {
  const { name, version, inputs, outputs } = model;
  return { name, versions: [version], platform: PLATFORM, inputs, outputs };
}

/** `instances` is how many calls run at the same time. */
export function configOf(model: ServedModel, instances: number): ModelConfig {
  return {
    name: model.name,
    platform: PLATFORM,
    backend: 'onnxruntime',
    version_policy: { latest: { num_versions: 1 } },
    max_batch_size: model.maxBatch,
    input: model.inputs.map(toConfig),
    output: model.outputs.map(toConfig),
    instance_group: [{ name: model.name, kind: 'KIND_CPU', count: instances, gpus: [] }],
    dynamic_batching: {},
    default_model_filename: 'model.onnx',
  };
}

function toServed({ name, type, shape }: TensorSpec): ServedTensor {
  return { name, datatype: DATATYPE_OF[type], shape };
}

function toConfig({ name, datatype, shape }: ServedTensor): ModelTensor {
  return { name, data_type: `TYPE_${datatype}`, dims: shape.slice(1) };
}

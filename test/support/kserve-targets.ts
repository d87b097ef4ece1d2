import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { NodeOptions } from '../../src/node/index.ts';
import { connectKserve } from '../../src/platform/kserve/index.ts';
import { openPicoParts, startPicoNode } from './node.ts';
import { isTritonSkipped, startTriton } from './triton.ts';

export interface KserveServer extends AsyncDisposable {
  /** `grpc://host:port`. */
  readonly address: string;
  /** Asks it to end, and does not wait for that. */
  readonly stop: () => void;
}

/** A server that speaks the protocol, to hold the same cases against. */
export interface KserveTarget {
  readonly name: string;
  readonly isReal: boolean;
  /** Starts it with these parts of pico, one call of each at a time. */
  readonly start: (...parts: readonly string[]) => Promise<KserveServer>;
  /** The same with the decoder alone, of whose requests no more than this many may wait. */
  readonly startWithQueue: (waitingMax: number) => Promise<KserveServer>;
  /** The same with the text encoder alone, and where its weights are: the test may take them away. */
  readonly startOnFiles: () => Promise<KserveServer & { readonly weights: string }>;
}

async function startEmbedded(
  parts: readonly string[],
  options: Partial<NodeOptions> = {},
): Promise<KserveServer> {
  const node = await startPicoNode({ bundles: [await openPicoParts(...parts)], workers: 1, ...options });
  const stop = () => void node[Symbol.asyncDispose]();
  return { address: node.address, stop, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() };
}

const EMBEDDED: KserveTarget = {
  name: 'the embedded node',
  isReal: false,
  start: (...parts) => startEmbedded(parts),
  startWithQueue: (waitingMax) => startEmbedded(['vae_decoder'], { waitingMax }),
  async startOnFiles() {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'darkroom-files-'));
    stack.defer(() => rm(folder, { recursive: true }));
    const bundle = await openPicoParts('text_encoder');
    const original = bundle.partPath('text_encoder');
    const graph = join(folder, 'text_encoder.onnx');
    const weights = join(folder, 'model.safetensors');
    await copyFile(original, graph);
    await copyFile(join(dirname(original), 'model.safetensors'), weights);
    const node = stack.use(
      await startPicoNode({ bundles: [{ ...bundle, partPath: () => graph }], workers: 1 }),
    );
    const owned = stack.move();
    const stop = () => void node[Symbol.asyncDispose]();
    return { address: node.address, weights, stop, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  },
};

const TRITON: KserveTarget = {
  name: 'Triton',
  isReal: true,
  async start(...parts) {
    const server = await startTriton({ parts });
    return { ...server, stop: server.terminate };
  },
  async startWithQueue(waitingMax) {
    const server = await startTriton({ parts: ['vae_decoder'] });
    const file = join(server.repository, 'pico.vae_decoder/config.pbtxt');
    const policy = `dynamic_batching { default_queue_policy { max_queue_size: ${waitingMax} } }`;
    const config = await readFile(file, 'utf8');
    await writeFile(file, config.replace('dynamic_batching { }', policy));
    await using client = connectKserve({ address: server.address, callTimeoutMs: 30_000 });
    await client.loadModel('pico.vae_decoder');
    return { ...server, stop: server.terminate };
  },
  async startOnFiles() {
    const server = await startTriton({ parts: ['text_encoder'] });
    const weights = join(server.repository, 'pico.text_encoder/1/model.safetensors');
    return { ...server, weights, stop: server.terminate };
  },
};

/** The embedded node, and the server that it must not be told from where that is installed. */
export const KSERVE_TARGETS: readonly KserveTarget[] = [EMBEDDED, ...(isTritonSkipped ? [] : [TRITON])];

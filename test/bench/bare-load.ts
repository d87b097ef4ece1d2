import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { InferenceSession } from 'onnxruntime-node';

// A process whose two threads load every graph that it is given, as a reference for a start of the
// platform: what ONNX Runtime needs to be as ready as it can be.

const THREADS = 2;
const files = process.argv.slice(2);

if (isMainThread) {
  const threads = Array.from(
    { length: THREADS },
    () => new Worker(fileURLToPath(import.meta.url), { argv: files }),
  );
  await Promise.all(threads.map((thread) => new Promise((resolve) => thread.once('message', resolve))));
  process.send?.('ready');
} else {
  for (const file of files)
    await InferenceSession.create(file, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  parentPort?.once('message', () => {});
  parentPort?.postMessage('loaded', []);
}

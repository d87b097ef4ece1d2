import { parentPort } from 'node:worker_threads';
import type { WorkerOrder } from '../../src/node/worker-messages.ts';

// The node's own session worker, except that a job for the model `fatal` ends its thread, as a
// crash in native code would. Registered first, so that it sees each job before the real one does.
parentPort?.on('message', (order: WorkerOrder) => {
  if (order.kind === 'RUN' && order.job.model === 'fatal') process.exit(3);
});
await import('../../src/node/session-worker.ts');

import { describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { decodeTensor, KserveError, status } from '../platform/kserve/index.ts';
import { openSessionPool } from './session-pool.ts';
import type { SessionThread } from './session-thread.ts';
import type { BatchOutcome } from './run-batch.ts';
import type { InferJob, InferOutcome, RawTensor } from './worker-messages.ts';

const never = new AbortController().signal;
const times = { inputMs: 1, inferMs: 2, outputMs: 3 };
const POISON = 666;

interface Shape {
  readonly model?: string;
  readonly id?: string;
  readonly rowsMax?: number;
  readonly width?: number;
  readonly outputs?: readonly string[];
}

/** A job of one row for each value. */
function jobOf(values: readonly number[], shape: Shape = {}): InferJob {
  const { model = 'm', id = '', rowsMax = 8, width = 1, outputs = ['y'] } = shape;
  const data = Float32Array.from(values.flatMap((value) => Array.from({ length: width }, () => value)));
  const bytes = new Uint8Array(data.buffer);
  const inputs = [{ name: 'x', datatype: 'FP32' as const, shape: [values.length, width], bytes }];
  return { model, file: `/${model}.onnx`, id, rowsMax, inputs, outputs };
}

const valuesOf = ({ datatype, shape, bytes }: RawTensor) => [...(decodeTensor(datatype, shape, bytes) ?? [])];

/** A thread that answers x with -x and raises on the poison; each run waits for `next`. */
function negatingThread() {
  const end = Promise.withResolvers<string>();
  const runs: number[][] = [];
  const gate = Promise.withResolvers<void>();
  async function run(job: InferJob): Promise<InferOutcome> {
    const [x] = job.inputs;
    if (!x) throw new Error('no input');
    const values = valuesOf(x).map(Number);
    runs.push(values);
    await gate.promise;
    if (values.includes(POISON)) throw new KserveError(status.INTERNAL, 'onnx runtime error: poison');
    const bytes = new Uint8Array(Float32Array.from(values, (value) => -value).buffer);
    return { outputs: job.outputs.map((name) => ({ ...x, name, bytes })), times };
  }
  const thread: SessionThread = {
    ended: end.promise,
    holds: () => true,
    release: () => {},
    run,
    async [Symbol.asyncDispose]() {
      end.resolve('disposed');
    },
  };
  return {
    thread,
    runs,
    /** Lets the run in progress end, and all that follow. */
    go: gate.resolve,
  };
}

async function openPool(waitingMax = 256) {
  const worker = negatingThread();
  const notes: BatchOutcome[] = [];
  const pool = await openSessionPool({
    size: 1,
    waitingMax,
    statistics: { note: (outcome) => void notes.push(outcome) },
    start: async () => worker.thread,
    clock: systemClock,
    random: { bytes: (count) => new Uint8Array(count) },
    logger: { info: () => {}, warn: () => {}, error: () => {} },
  });
  return { ...worker, pool, notes, [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose]() };
}

type Pool = Awaited<ReturnType<typeof openPool>>['pool'];

const ask = async (pool: Pool, job: InferJob) =>
  (await pool.run(job, never)).map((each) => [each.shape[0], ...valuesOf(each)]);

describe('requests that wait for a worker', () => {
  it('run as one, in the order in which they came, and each gets its own rows', async () => {
    await using test = await openPool();
    const answers = [[0], [1], [2, 3], [4]].map((values) => ask(test.pool, jobOf(values)));
    test.go();
    expect(await Promise.all(answers)).toEqual([[[1, -0]], [[1, -1]], [[2, -2, -3]], [[1, -4]]]);
    expect(test.runs).toEqual([[0], [1, 2, 3, 4]]);
    expect(test.notes.map((each) => each.kind === 'DONE' && each.execution.rows)).toEqual([1, 4]);
  });

  it('never make more rows than the model takes, and do not overtake one that would', async () => {
    await using test = await openPool();
    const jobs = [[0], [1, 2], [3, 4], [5]].map((values) => jobOf(values, { rowsMax: 3 }));
    const answers = jobs.map((job) => ask(test.pool, job));
    test.go();
    await Promise.all(answers);
    expect(test.runs).toEqual([[0], [1, 2], [3, 4, 5]]);
  });

  it.each<[string, Shape]>([
    ['of another model', { model: 'n' }],
    ['of another size', { width: 2 }],
    ['for other outputs', { outputs: ['z'] }],
  ])('run apart from those %s', async (_, other) => {
    await using test = await openPool();
    const jobs = [jobOf([0]), jobOf([1]), jobOf([2], other), jobOf([3])];
    const answers = jobs.map((job) => ask(test.pool, job));
    test.go();
    await Promise.all(answers);
    expect(test.runs.map((values) => [...new Set(values)])).toEqual([[0], [1, 3], [2]]);
  });

  it('run by themselves when their batch fails: only the guilty one fails', async () => {
    await using test = await openPool();
    const jobs = [[0], [1], [POISON], [3]].map((values) => jobOf(values));
    const answers = Promise.allSettled(jobs.map((job) => ask(test.pool, job)));
    test.go();
    expect(await answers).toMatchObject([
      { value: [[1, -0]] },
      { value: [[1, -1]] },
      { reason: { status: status.INTERNAL, message: 'onnx runtime error: poison' } },
      { value: [[1, -3]] },
    ]);
    expect(test.runs).toEqual([[0], [1, POISON, 3], [1], [POISON], [3]]);
  });

  it('are refused when too many of their model wait, and those of other models are not', async () => {
    await using test = await openPool(2);
    const jobs = [jobOf([0]), jobOf([1]), jobOf([2]), jobOf([3], { id: 'r-3' }), jobOf([4], { model: 'n' })];
    const answers = Promise.allSettled(jobs.map((job) => ask(test.pool, job)));
    test.go();
    const done = { status: 'fulfilled' };
    const reason = {
      status: status.UNAVAILABLE,
      reason: 'OVERLOADED',
      message: '[request id: r-3] Exceeds maximum queue size',
    };
    expect(await answers).toMatchObject([done, done, done, { reason }, done]);
    expect(await ask(test.pool, jobOf([5]))).toEqual([[1, -5]]);
  });
});

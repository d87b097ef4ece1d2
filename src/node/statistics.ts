import type { Clock } from '../kernel/clock.ts';
import type { ModelStatistics, StatisticDuration } from '../platform/kserve/index.ts';
import { rowsOf } from './batches.ts';
import type { BatchOutcome, Execution } from './run-batch.ts';
import type { ComputeTimes } from './worker-messages.ts';

/** What the models have done since they were loaded, as the protocol's statistics extension tells it. */
export interface Statistics {
  note(outcome: BatchOutcome): void;
  of(model: string, version: string): ModelStatistics;
  /** The model has been unloaded: it begins anew. */
  forget(model: string): void;
}

interface Tally {
  count: number;
  ms: number;
}

interface Compute {
  readonly compute_input: Tally;
  readonly compute_infer: Tally;
  readonly compute_output: Tally;
}

interface Counts extends Compute {
  readonly success: Tally;
  readonly fail: Tally;
  readonly queue: Tally;
  rows: number;
  executions: number;
  lastMs: number;
  readonly batches: Map<number, Compute>;
}

export function createStatistics({ clock }: { readonly clock: Clock }): Statistics {
  const models = new Map<string, Counts>();
  const countsOf = (model: string) => {
    const counts = models.get(model) ?? newCounts();
    models.set(model, counts);
    return counts;
  };
  function executed({ model, rows, times, startedMs, addedMs }: Execution): void {
    // A graph that was loaded and not run.
    if (rows === 0) return;
    const counts = countsOf(model);
    const batch = counts.batches.get(rows) ?? newCompute();
    counts.batches.set(rows, batch);
    addCompute(batch, times);
    counts.executions += 1;
    counts.rows += rows;
    counts.lastMs = clock.nowMs();
    const nowMs = clock.monotonicMs();
    for (const cameMs of addedMs) {
      add(counts.success, nowMs - cameMs);
      add(counts.queue, startedMs - cameMs);
      addCompute(counts, times);
    }
  }

  return {
    note(outcome) {
      if (outcome.kind === 'DONE') executed(outcome.execution);
      if (outcome.kind !== 'FAILED') return;
      for (const { job, addedMs } of outcome.batch.filter((each) => rowsOf(each.job) > 0))
        add(countsOf(job.model).fail, clock.monotonicMs() - addedMs);
    },
    of: (model, version) => toMessage(model, version, models.get(model) ?? newCounts()),
    forget: (model) => void models.delete(model),
  };
}

const newTally = (): Tally => ({ count: 0, ms: 0 });

function newCompute(): Compute {
  return { compute_input: newTally(), compute_infer: newTally(), compute_output: newTally() };
}

function newCounts(): Counts {
  const more = { success: newTally(), fail: newTally(), queue: newTally() };
  return { ...newCompute(), ...more, rows: 0, executions: 0, lastMs: 0, batches: new Map() };
}

function add(tally: Tally, ms: number): void {
  tally.count += 1;
  tally.ms += ms;
}

function addCompute(compute: Compute, { inputMs, inferMs, outputMs }: ComputeTimes): void {
  add(compute.compute_input, inputMs);
  add(compute.compute_infer, inferMs);
  add(compute.compute_output, outputMs);
}

function toMessage(name: string, version: string, counts: Counts): ModelStatistics {
  const { success, fail, queue, batches } = counts;
  const others = { success: toDuration(success), fail: toDuration(fail), queue: toDuration(queue) };
  return {
    name,
    version,
    last_inference: Math.round(counts.lastMs),
    inference_count: counts.rows,
    execution_count: counts.executions,
    inference_stats: { ...others, ...computeOf(counts) },
    batch_stats: [...batches]
      .toSorted(([a], [b]) => a - b)
      .map(([batch_size, compute]) => ({ batch_size, ...computeOf(compute) })),
  };
}

function computeOf({ compute_input, compute_infer, compute_output }: Compute) {
  return {
    compute_input: toDuration(compute_input),
    compute_infer: toDuration(compute_infer),
    compute_output: toDuration(compute_output),
  };
}

const NS_PER_MS = 1_000_000;

function toDuration({ count, ms }: Tally): StatisticDuration {
  return { count, ns: Math.round(ms * NS_PER_MS) };
}

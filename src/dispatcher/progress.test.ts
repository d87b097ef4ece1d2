import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { silentLog } from '../../test/support/silent-log.ts';
import type { NewProgress } from '../domains/generation/index.ts';
import type { Scheduling } from '../domains/scheduling/index.ts';
import { createProgressWriter } from './progress.ts';
import type { Run } from './run.ts';
import { DEFAULT_DISPATCHER_SETTINGS as settings } from './settings.ts';

const settled = () => new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));

const runAt = (step: number): Run =>
  ({
    job: { tenantId: 'ten_A', id: 'job_A', fence: 1 },
    step,
    reportedStep: 0,
    previewStep: null,
    preview: null,
    nextSequence: 3,
    sequenceMax: 5,
    isEnding: false,
  }) as Run;

/** The progress of one run, on a database that takes each write when it is told to. */
function openProgress(run: Run) {
  const clock = createManualClock();
  const writes: { readonly rows: readonly NewProgress[]; readonly take: () => void }[] = [];
  const scheduling = {
    progress: (rows: readonly NewProgress[]) => new Promise<void>((take) => void writes.push({ rows, take })),
  } as unknown as Scheduling;
  const logger = silentLog;
  const writer = createProgressWriter({ scheduling, clock, logger, settings });
  void writer.loop(() => [run], new AbortController().signal);
  const flush = async () => {
    clock.advance(settings.progressMs);
    await settled();
  };
  return { writer, writes, flush };
}

describe('the progress of a run', () => {
  it('is not told any more once the run is ending: its last numbers belong to its end', async () => {
    const run = runAt(0);
    const { writer, writes, flush } = openProgress(run);
    run.isEnding = true;
    run.sequenceMax = run.nextSequence - 1;
    run.step = 4;
    expect(await writer.take(run)).toEqual([]);

    // A heartbeat that was on its way brings more numbers.
    run.sequenceMax += 100;
    await flush();

    expect(writes).toEqual([]);
    expect(run.nextSequence).toBe(3);
  });

  it('reaches the database before what its end brings along', async () => {
    const run = runAt(2);
    const { writer, writes, flush } = openProgress(run);
    await flush();
    run.step = 4;
    run.isEnding = true;
    const order: string[] = [];
    const pending = writer.take(run).finally(() => order.push('end'));
    await settled();
    order.push('written');
    writes[0]?.take();

    expect((await pending).map(({ sequence, step }) => ({ sequence, step }))).toEqual([
      { sequence: 4, step: 4 },
    ]);
    expect(order).toEqual(['written', 'end']);
    await flush();
    expect(writes.flatMap(({ rows }) => rows.map(({ sequence }) => sequence))).toEqual([3]);
  });
});

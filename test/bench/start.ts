import { systemClock } from '../../src/kernel/clock.ts';
import { openBundles } from '../../src/platform/bundles/index.ts';
import { startPostgres } from '../../src/platform/postgres/index.ts';
import { startGuardian } from '../../src/platform/process/index.ts';
import { createLogger } from '../../src/platform/telemetry/index.ts';
import { MODELS } from '../support/models.ts';
import type { Platform } from '../support/platform.ts';
import { startPlatform } from '../support/platform.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { createSandbox } from '../support/sandbox.ts';
import { startBareProcess } from './bare-process.ts';
import type { Figure, Pair } from './figures.ts';
import { figureOf } from './figures.ts';
import { drawJobs } from './job-load.ts';
import type { Bench, BenchOptions } from './bench.ts';
import { memoryOf, peakMemory } from './memory.ts';

const IN_FLIGHT = 10;
const MEMORY_BYTES = 1.2e9;
const MEGABYTE = 1e6;

// For a heap that has just been filled to be swept, and for the pages of a start to be given back.
const REST_MS = 5_000;

const FULL = { pairs: 5, jobs: 200 };
const QUICK = { pairs: 2, jobs: 40 };

/** Time to ready of a start on a data folder that there is already, and memory from then on. */
export const benchStart: Bench = async (options, report) => {
  const { pairs: count, jobs } = options.isQuick ? QUICK : FULL;
  await using sandbox = await createSandbox();
  options.say('starting for the first time, which is not measured');
  await using once = new AsyncDisposableStack();
  once.use(await startPlatform(sandbox, platformArgs(sandbox)));
  await startReference(sandbox);
  await once.disposeAsync();

  const pairs: Pair[] = [];
  while (pairs.length < count) {
    options.signal.throwIfAborted();
    const reference = await startReference(sandbox);
    const startMs = systemClock.monotonicMs();
    await using _platform = await startPlatform(sandbox, platformArgs(sandbox));
    const value = (systemClock.monotonicMs() - startMs) / 1_000;
    pairs.push({ value, reference });
    options.say(`pair ${pairs.length} of ${count}: ${value.toFixed(2)} against ${reference.toFixed(2)} s`);
  }
  report(
    figureOf(
      {
        name: 'start.ready',
        reference: 'Postgres alone beside a process that loads every graph in two threads',
        aim: '< 6 s',
        unit: 's',
      },
      pairs,
    ),
  );

  await using platform = await startPlatform(sandbox, platformArgs(sandbox));
  await measureMemory(platform, { ...options, jobs }, report);
};

function platformArgs(sandbox: Sandbox): readonly string[] {
  return ['--data', sandbox.at('data')];
}

/** Seconds that the least takes on which the platform could stand. */
async function startReference(sandbox: Sandbox): Promise<number> {
  const graphs = (await openBundles(MODELS)).flatMap((bundle) =>
    Object.keys(bundle.manifest.parts).map((part) => bundle.partPath(part)),
  );
  const logger = createLogger('silent');
  await using stack = new AsyncDisposableStack();
  const guardian = stack.use(await startGuardian({ logger }));
  const startMs = systemClock.monotonicMs();
  const postgres = startPostgres({
    dataDirectory: sandbox.at('reference'),
    port: 0,
    superuserPassword: 'reference',
    guardian,
    logger,
  });
  const load = startBareProcess('./bare-load.ts', [...new Set(graphs)]);
  // Each is owned as soon as it runs, so that one that fails does not leave the other.
  const starts = [postgres, load].map(async (start) => stack.use<AsyncDisposable>(await start));
  const failed = (await Promise.allSettled(starts)).find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
  return (systemClock.monotonicMs() - startMs) / 1_000;
}

async function measureMemory(
  { pid, ready }: Platform,
  { jobs, say, signal }: BenchOptions & { readonly jobs: number },
  report: (figure: Figure) => void,
): Promise<void> {
  const draw = (count: number) => drawJobs(ready, { count, inFlight: IN_FLIGHT, signal });
  const atRest = async () => {
    await systemClock.sleep(REST_MS, signal);
    return memoryOf(pid);
  };
  say('measuring memory at rest, under ten jobs at a time and after them');
  report(memoryFigure('start.memoryIdle', await atRest()));
  const first = await peakMemory(pid, () => draw(IN_FLIGHT));
  const early = await peakMemory(pid, () => draw(jobs / 2 - IN_FLIGHT));
  const half = await atRest();
  const late = await peakMemory(pid, () => draw(jobs / 2));
  const after = await atRest();
  report(memoryFigure('start.memoryTenJobs', Math.max(first, early, late)));
  report(memoryFigure(`start.memoryAfter${jobs}`, after));
  report(growthFigure('start.memoryGrowth', 'the memory under the first ten jobs', [after, first]));
  // Heaps and pools grow to what the work needs, and then no more: what leaks does not stop.
  report(growthFigure('start.memoryDrift', `the memory at rest after ${jobs / 2} jobs`, [after, half]));
}

function growthFigure(name: string, reference: string, [after, before]: readonly [number, number]): Figure {
  const pair = { value: after / MEGABYTE, reference: before / MEGABYTE };
  return figureOf({ name, reference, aim: 'about 1', unit: 'MB' }, [pair]);
}

function memoryFigure(name: string, bytes: number): Figure {
  const about = { name, reference: '1.2 GB', aim: '< 1', unit: 'MB' };
  return figureOf(about, [{ value: bytes / MEGABYTE, reference: MEMORY_BYTES / MEGABYTE }]);
}

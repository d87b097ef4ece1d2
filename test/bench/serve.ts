import { join } from 'node:path';
import { systemClock } from '../../src/kernel/clock.ts';
import { openBundle } from '../../src/platform/bundles/index.ts';
import { MODELS } from '../support/models.ts';
import type { Platform } from '../support/platform.ts';
import { startPlatform } from '../support/platform.ts';
import { createSandbox } from '../support/sandbox.ts';
import type { BareProcess } from './bare-process.ts';
import { startBareProcess } from './bare-process.ts';
import type { Pair } from './figures.ts';
import { figureOf } from './figures.ts';
import { drawJobs } from './job-load.ts';
import type { Bench, BenchOptions } from './bench.ts';

const IN_FLIGHT = 10;
const BARE_PROCESSES = 2;

const FULL = { pairs: 5, pictures: 60 };
const QUICK = { pairs: 2, pictures: 20 };

/** Pictures per second, from submit to stored, against as many processes as the node has workers. */
export const benchServe: Bench = async (options, report) => {
  const { pairs: count, pictures } = options.isQuick ? QUICK : FULL;
  await using sandbox = await createSandbox();
  options.say('starting the platform and the bare loop');
  await using platform = await startPlatform(sandbox, ['--data', sandbox.at('data')]);
  const directory = join(MODELS, 'pico');
  const { defaults } = (await openBundle(directory)).manifest;
  await using bare = new AsyncDisposableStack();
  const args = [directory, String(defaults.steps)];
  const starts = Array.from({ length: BARE_PROCESSES }, () => startBareProcess('./bare-draw.ts', args));
  const processes = await Promise.all(starts.map(async (start) => bare.use(await start)));

  options.say('warming both up');
  await drawBare(processes, 2 * BARE_PROCESSES);
  await drawOverApi(platform, 2 * IN_FLIGHT, options);
  const pairs: Pair[] = [];
  while (pairs.length < count) {
    options.signal.throwIfAborted();
    const reference = await drawBare(processes, pictures);
    const value = await drawOverApi(platform, pictures, options);
    pairs.push({ value, reference });
    options.say(
      `pair ${pairs.length} of ${count}: ${value.toFixed(2)} against ${reference.toFixed(2)} pictures/s`,
    );
  }
  report(
    figureOf(
      {
        name: 'serve.picturesPerSecond',
        reference: `a bare ONNX Runtime loop in ${BARE_PROCESSES} processes`,
        aim: '>= 0.9',
        unit: 'pictures/s',
      },
      pairs,
    ),
  );
};

async function drawOverApi({ ready }: Platform, count: number, { signal }: BenchOptions): Promise<number> {
  return count / (await drawJobs(ready, { count, inFlight: IN_FLIGHT, signal }));
}

async function drawBare(processes: readonly BareProcess[], count: number): Promise<number> {
  const startMs = systemClock.monotonicMs();
  await Promise.all(processes.map((each) => each.ask(count / processes.length)));
  return (count * 1_000) / (systemClock.monotonicMs() - startMs);
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBundle } from '../../src/platform/bundles/index.ts';
import { MODELS } from '../support/models.ts';
import { decodePixels } from '../support/pixels.ts';
import type { Platform } from '../support/platform.ts';
import { draw, startPlatform } from '../support/platform.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { createSandbox } from '../support/sandbox.ts';
import { startBareReference } from './bare-reference.ts';
import type { Bench, BenchOptions } from './bench.ts';
import type { Sample } from './diffusers.ts';
import { DIFFUSERS_MISSING, hasDiffusers, RUNTIMES, startDiffusers } from './diffusers.ts';
import type { Pair } from './figures.ts';
import { figureOf } from './figures.ts';
import { drawJobs, PROMPT } from './job-load.ts';
import type { Reference } from './reference.ts';

const IN_FLIGHT = 10;
const BARE_PROCESSES = 2;
const SEED = 7;

// Pictures: whole calls of eight for each of two processes.
const FULL = { pairs: 5, pictures: 64 };
const QUICK = { pairs: 2, pictures: 16 };

/** Pictures per second, from submit to stored, against what draws the same ones without a platform. */
export const benchServe: Bench = async (options, report) => {
  const { pairs: count, pictures } = options.isQuick ? QUICK : FULL;
  await using sandbox = await createSandbox();
  options.say('starting and warming up the platform');
  await using platform = await startPlatform(sandbox, ['--data', sandbox.at('data')]);
  await drawOverApi(platform, 2 * IN_FLIGHT, options);
  await using stack = new AsyncDisposableStack();
  const references = await startReferences(stack, { ...options, platform, sandbox });

  const rounds = references.map((reference) => ({ reference, pairs: new Array<Pair>() }));
  for (let round = 1; round <= count; round += 1) {
    for (const { reference: against, pairs } of rounds) {
      options.signal.throwIfAborted();
      const reference = await against.draw(pictures);
      const value = await drawOverApi(platform, pictures, options);
      pairs.push({ value, reference });
      const rates = `${value.toFixed(2)} against ${reference.toFixed(2)} pictures/s`;
      options.say(`pair ${round} of ${count}: ${rates} of ${against.about.reference}`);
    }
  }
  for (const { reference, pairs } of rounds)
    report(figureOf({ ...reference.about, unit: 'pictures/s' }, pairs));
};

interface Stage extends BenchOptions {
  readonly platform: Platform;
  readonly sandbox: Sandbox;
}

/** All that there are, in the care of `stack`, and warm. */
async function startReferences(stack: AsyncDisposableStack, stage: Stage): Promise<readonly Reference[]> {
  const directory = join(MODELS, 'pico');
  const { defaults } = (await openBundle(directory)).manifest;
  stage.say('starting the bare loop');
  const references = [stack.use(await startBareReference(directory, defaults.steps, BARE_PROCESSES))];
  if (!hasDiffusers) {
    stage.say(DIFFUSERS_MISSING);
    return references;
  }
  const sample = await drawSample(stage);
  for (const runtime of RUNTIMES) {
    stage.say(`starting diffusers (${runtime}), and trying how many prompts a call suit it`);
    references.push(stack.use(await startDiffusers({ ...stage, runtime, directory, sample })));
  }
  return references;
}

async function drawSample({ platform, sandbox }: Stage): Promise<Sample> {
  const args = [PROMPT, '--seed', `${SEED}`, '--out', sandbox.at('sample.png')];
  const { image } = await draw(sandbox, platform.ready, args);
  const { data: pixels } = await decodePixels(await readFile(image.path));
  return { prompt: PROMPT, seed: SEED, pixels };
}

async function drawOverApi({ ready }: Platform, count: number, { signal }: BenchOptions): Promise<number> {
  return count / (await drawJobs(ready, { count, inFlight: IN_FLIGHT, signal }));
}

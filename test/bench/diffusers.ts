import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/kernel/clock.ts';
import { decodePixels, levelsApart } from '../support/pixels.ts';
import type { Sandbox } from '../support/sandbox.ts';
import type { BenchOptions } from './bench.ts';
import type { Painter } from './painter.ts';
import { startPainter } from './painter.ts';
import type { Reference } from './reference.ts';

const ROOT = join(import.meta.dirname, '../..');
const PYTHON = join(ROOT, '.venv-export/bin/python');
const SCRIPT = join(import.meta.dirname, 'diffusers_draw.py');
const CACHE = join(ROOT, '.cache/bench');

/** Whether there is a diffusers to compare with. */
export const hasDiffusers = existsSync(PYTHON);

export const DIFFUSERS_MISSING =
  'without diffusers, which is not installed. Make it with: python3 -m venv .venv-export && ' +
  '.venv-export/bin/pip install -r deploy/engines/export/requirements.txt';

/** What diffusers runs a model on: PyTorch, eagerly, or ONNX Runtime, in its own pipeline for that. */
export const RUNTIMES = ['torch', 'onnx'] as const;
export type Runtime = (typeof RUNTIMES)[number];

const FIGURES = { torch: 'serve.againstDiffusersTorch', onnx: 'serve.againstDiffusersOnnx' } as const;

// One thread for each worker of the node, which has one thread as well. Two processes of one thread rather
// than one process of two: small networks gain less from a second thread than from a second picture.
const PROCESSES = 2;
const THREADS = 1;

// One picture a call, as most people call it, and as many as the node takes in a call; how many to try it with.
const TRIALS = [
  { batch: 1, count: 4 },
  { batch: 8, count: 8 },
];

// Rounding at the end of the decoder makes one; a step, a guidance or a seed that is another makes dozens.
const LEVELS_MAX = 3;

/** A picture that the platform has drawn, for others to be held against. */
export interface Sample {
  readonly prompt: string;
  readonly seed: number;
  readonly pixels: Uint8Array;
}

export interface DiffusersOptions extends Pick<BenchOptions, 'say' | 'signal'> {
  readonly runtime: Runtime;
  /** Folder of the bundle, which is a diffusers folder too. */
  readonly directory: string;
  readonly sample: Sample;
  readonly sandbox: Sandbox;
}

/**
 * diffusers on the bundle's own weights, with its defaults, at the fastest of its batch sizes. Rejects when it
 * draws another picture than the platform does, for then there is nothing to compare.
 */
export async function startDiffusers(options: DiffusersOptions): Promise<Reference> {
  const { runtime, sample, say } = options;
  await using stack = new AsyncDisposableStack();
  const painters: Painter[] = [];
  // In turn: the first exports the graphs that the second finds.
  while (painters.length < PROCESSES) painters.push(stack.use(await startOne(options)));
  const versions = painters[0]?.versions ?? '';
  const levels = await compare(painters[0], options);
  say(`${versions} draws the platform's picture, ${levels} of 255 levels off at most`);

  const drawIn = (batch: number) => (count: number) => drawWith(painters, sample.prompt, { count, batch });
  const trials = await tryBatches(drawIn);
  for (const trial of trials) say(`${trial.perSecond.toFixed(2)} pictures/s with ${callOf(trial.batch)}`);
  const batch = fastestOf(trials);
  const owned = stack.move();
  return {
    about: {
      name: FIGURES[runtime],
      reference: `${versions} in ${PROCESSES} processes, ${callOf(batch)}`,
      aim: '> 1',
    },
    draw: drawIn(batch),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function startOne({ runtime, directory, sandbox, say, signal }: DiffusersOptions): Promise<Painter> {
  const args = ['-B', SCRIPT, '--runtime', runtime, '--bundle', directory, '--cache', CACHE];
  return startPainter({
    program: {
      command: PYTHON,
      args: [...args, '--threads', `${THREADS}`],
      // Everything is in the bundle: what would have to be fetched is a mistake.
      env: { ...sandbox.env, HF_HUB_OFFLINE: '1' },
    },
    say,
    signal,
  });
}

async function compare(painter: Painter | undefined, options: DiffusersOptions): Promise<number> {
  const { prompt, seed, pixels } = options.sample;
  const save = options.sandbox.at(`${options.runtime}.png`);
  await painter?.paint({ prompt, seeds: [seed], save });
  const levels = levelsApart((await decodePixels(await readFile(save))).data, pixels);
  if (levels > LEVELS_MAX) {
    throw new Error(
      `${painter?.versions} draws another picture than the platform: ${levels} of 255 levels off.`,
    );
  }
  return levels;
}

function callOf(batch: number): string {
  return `${batch} ${batch === 1 ? 'prompt' : 'prompts'} a call`;
}

interface Load {
  readonly count: number;
  readonly batch: number;
}

async function drawWith(
  painters: readonly Painter[],
  prompt: string,
  { count, batch }: Load,
): Promise<number> {
  const startMs = systemClock.monotonicMs();
  const draw = async (painter: Painter) => {
    for (const size of callSizes(count / painters.length, batch))
      await painter.paint({ prompt, seeds: Array.from({ length: size }, (_, i) => i), save: null });
  };
  await Promise.all(painters.map(draw));
  return (count * 1_000) / (systemClock.monotonicMs() - startMs);
}

/** How many prompts each call has. */
export function callSizes(count: number, batch: number): readonly number[] {
  return Array.from({ length: Math.ceil(count / batch) }, (_, i) => Math.min(batch, count - i * batch));
}

interface Trial {
  readonly batch: number;
  readonly perSecond: number;
}

async function tryBatches(drawIn: (batch: number) => (count: number) => Promise<number>): Promise<Trial[]> {
  // The very first pictures are slower than any others.
  await drawIn(1)(PROCESSES);
  const trials: Trial[] = [];
  for (const { batch, count } of TRIALS)
    trials.push({ batch, perSecond: await drawIn(batch)(PROCESSES * count) });
  return trials;
}

/** The batch size with the highest rate. */
export function fastestOf(trials: readonly Trial[]): number {
  return trials.reduce((best, trial) => (trial.perSecond > best.perSecond ? trial : best)).batch;
}

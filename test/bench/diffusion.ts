import type { SchedulerName } from '../../src/diffusion/index.ts';
import {
  drawNormal,
  fillNormal,
  openTorchNormal,
  readPrompt,
  SCHEDULER_NAMES,
  schedulerOf,
} from '../../src/diffusion/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { readSchedulerConfig, readTokenizer } from '../parity/recorded.ts';
import type { Bench } from './bench.ts';
import type { Figure, Pair } from './figures.ts';
import { figureOf } from './figures.ts';

/** Values of one picture's latents, [4, h, w], at the size that the family was trained at. */
const FAMILIES = { sd15: 4 * 64 * 64, sdxl: 4 * 128 * 128 } as const;

const STEPS = 25;
const GUIDANCE_SCALE = 7.5;
/** Of one picture: more than any engine gives today. */
const STEPS_PER_SECOND = 100;
const STEP_MS = 1_000 / STEPS_PER_SECOND;
const PROMPT =
  'a studio photograph of a red apple with water drops on a wooden table, soft light from the left, ' +
  'shallow depth of field, blue background, highly detailed, sharp focus, muted colours, 85 mm';
const WARM_UP_PASSES = 3;

const FULL = { pairs: 9, passMs: 60 };
const QUICK = { pairs: 2, passMs: 10 };
type Size = typeof FULL;

interface Stage {
  readonly size: Size;
  readonly signal: AbortSignal;
  readonly report: (figure: Figure) => void;
}

/** What the arithmetic around the engines costs by value of the latents, against a loop that copies them. */
export const benchDiffusion: Bench = async ({ isQuick, signal, say }, report) => {
  const stage = { size: isQuick ? QUICK : FULL, signal, report };
  for (const [family, values] of Object.entries(FAMILIES)) {
    say(`guidance, steps and noise at the ${values} values of ${family}'s latents`);
    await measureFamily(family, values, stage);
  }
  say('tokenizing');
  await measureTokenizing(stage);
};

/** Something that can be done again and again, and to how many values one time is done. */
interface Work {
  readonly values: number;
  run(): void;
}

async function measureFamily(family: string, values: number, stage: Stage): Promise<void> {
  const arrays = createArrays(values);
  const copy = copyOf(arrays);
  const compare = async (name: string, work: Work, aim: string): Promise<readonly Pair[]> => {
    const pairs = await compareWork(work, copy, stage);
    const reference = 'a loop that copies the latents';
    stage.report(
      figureOf({ name: `diffusion.${family}.${name}`, reference, aim, unit: 'ns a value' }, pairs),
    );
    return pairs;
  };
  const share = (name: string, pairs: readonly Pair[]) =>
    reportShare(`diffusion.${family}.share.${name}`, values / 1e6, pairs, stage);
  for (const scheduler of SCHEDULER_NAMES) {
    const isEuler = scheduler === 'EULER_DISCRETE';
    const pairs = await compare(`step.${scheduler}`, stepsOf(scheduler, arrays), isEuler ? '<= 3' : 'none');
    share(`step.${scheduler}`, pairs);
  }
  const noise = openTorchNormal(7n);
  share('noise', await compare('noise', { values, run: () => fillNormal(noise, arrays.out) }, 'none'));
}

/** `msPerNs`: milliseconds of a step for each nanosecond of the pairs' unit. */
function reportShare(name: string, msPerNs: number, pairs: readonly Pair[], { report }: Stage): void {
  const reference = `a step at ${STEPS_PER_SECOND} steps/s`;
  const shares = pairs.map(({ value }) => ({ value: value * msPerNs, reference: STEP_MS }));
  report(figureOf({ name, reference, aim: '< 0.1', unit: 'ms' }, shares));
}

/** Arrays of one picture, all of one length. */
interface Arrays {
  readonly start: Float32Array;
  readonly latents: Float32Array;
  readonly uncond: Float32Array;
  readonly cond: Float32Array;
  readonly draws: readonly Float32Array[];
  readonly out: Float32Array;
}

function createArrays(values: number): Arrays {
  const source = openTorchNormal(1n);
  const drawn = () => drawNormal(source, values);
  const empty = () => new Float32Array(values);
  return {
    start: drawn(),
    latents: empty(),
    uncond: drawn(),
    cond: drawn(),
    draws: [drawn(), drawn()],
    out: empty(),
  };
}

function copyOf({ start, out }: Arrays): Work {
  return {
    values: out.length,
    run: () => {
      // A loop like those that are measured, length read before it, and not `set`, which moves bytes and is no arithmetic.
      const { length } = out;
      for (let k = 0; k < length; k += 1) out[k] = start[k] ?? 0;
    },
  };
}

/** The scheduler's step, which joins the halves of guidance, over all evaluations of a run. Noise is there already. */
function stepsOf(name: SchedulerName, arrays: Arrays): Work {
  const { start, latents, uncond, cond } = arrays;
  const scheduler = schedulerOf(name);
  const plan = scheduler.plan(STEPS, { config: readSchedulerConfig(), sigmaSchedule: 'DEFAULT' });
  const inputs = plan.evaluations.map(({ draws }) => ({
    latents,
    output: { uncond, cond, scale: GUIDANCE_SCALE },
    noise: arrays.draws.slice(0, draws),
  }));
  return {
    values: latents.length * inputs.length,
    run() {
      latents.set(start);
      let state = scheduler.start(plan, latents.length);
      for (const [i, input] of inputs.entries()) {
        state = scheduler.step(plan, i, state, input, latents);
      }
    },
  };
}

async function measureTokenizing(stage: Stage): Promise<void> {
  const tokenizer = readTokenizer();
  const read = { values: 1, run: () => void readPrompt(tokenizer, PROMPT, 1) };
  const idle = { values: 1, run: () => undefined };
  const pairs = await compareWork(read, idle, stage);
  // Once a job and not once a step: the share is that of one step.
  reportShare('diffusion.share.tokenizing', 1e-6, pairs, stage);
}

/** Nanoseconds a value of the work and of the reference, in turns. */
async function compareWork(work: Work, reference: Work, { size, signal }: Stage): Promise<readonly Pair[]> {
  for (let pass = 0; pass < WARM_UP_PASSES; pass += 1) [reference, work].map((each) => timeOf(each, size));
  const pairs: Pair[] = [];
  while (pairs.length < size.pairs) {
    // Lets Ctrl-C through: nothing else here waits.
    await new Promise(setImmediate);
    signal.throwIfAborted();
    pairs.push({ reference: timeOf(reference, size), value: timeOf(work, size) });
  }
  return pairs;
}

function timeOf({ run, values }: Work, { passMs }: Size): number {
  const startMs = systemClock.monotonicMs();
  let count = 0;
  let ms = 0;
  while (ms < passMs) {
    run();
    count += 1;
    ms = systemClock.monotonicMs() - startMs;
  }
  return (ms * 1e6) / (count * values);
}

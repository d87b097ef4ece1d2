import type { Answer, Conditions, FirstEvaluation, Picture } from '../diffusion/index.ts';
import {
  advance,
  guidedAnswer,
  hasNonFinite,
  modelInput,
  startPicture,
  timestepOf,
} from '../diffusion/index.ts';
import { asFloats } from './encode-prompts.ts';
import type { Rows } from './engines.ts';
import { JobFailure } from './failure.ts';
import { inferPart } from './infer-part.ts';
import type { Run } from './run.ts';
import { throwIfInterrupted } from './run.ts';

/** What is told of a run as it goes on; neither may block, and what they throw ends the run. */
export interface Watch {
  /**
   * Told of each picture's first evaluation, before anything is made of it: a run begins with noise, whatever became
   * of earlier ones. The arrays are reused.
   */
  readonly onFirst: (evaluation: FirstEvaluation) => void;
  /** Told after each evaluation. */
  readonly onStep: (pictures: readonly Picture[]) => void;
}

/**
 * The step loop: one call per evaluation over all pictures of the job, scheduler arithmetic between
 * the calls, and nothing else on the path.
 */
export async function denoise(
  run: Run,
  conditions: Conditions,
  { onFirst, onStep }: Watch,
): Promise<readonly Picture[]> {
  const { plan } = run;
  const pictures = plan.seeds.map((seed) => startPicture(plan, seed));
  const inputs = createInputs(run, conditions);
  for (let i = 0; i < plan.totalSteps; i += 1) {
    throwIfInterrupted(run);
    const rows = inputs.fill(pictures, i);
    const answer = await inferPart(
      run,
      { part: plan.guidance.part, output: 'noise_pred', isEvaluation: true },
      rows,
    );
    const values = asFloats(answer.data);
    if (hasNonFinite(values)) throw numericFailure();
    for (const [index, picture] of pictures.entries()) {
      const own = answerFor(run, values, index);
      if (i === 0) onFirst({ input: inputs.ofPicture(index), output: guidedAnswer(own) });
      advance(plan, picture, i, own);
    }
    run.step = i + 1;
    onStep(pictures);
  }
  if (pictures.some((picture) => hasNonFinite(picture.latents))) throw numericFailure();
  return pictures;
}

function numericFailure(): JobFailure {
  return new JobFailure(
    'MODEL_NUMERIC_ERROR',
    'The model produced numbers that are not finite. It was not charged.',
  );
}

/** What the U-Net says of one picture: a row of its values, or two of them. */
function answerFor({ plan }: Run, values: Float32Array, index: number): Answer {
  const row = (at: number) => values.subarray(at * plan.latentSize, (at + 1) * plan.latentSize);
  const { form, scale } = plan.guidance;
  return form === 'OUTSIDE' ? { uncond: row(index), cond: row(index + plan.imageCount), scale } : row(index);
}

interface Inputs {
  /** The rows of evaluation `i`. The arrays are the same each time: a call must end before the next. */
  fill(pictures: readonly Picture[], i: number): Rows;
  /** What the U-Net was last given for the picture at `index`. */
  ofPicture(index: number): Float32Array;
}

function createInputs(run: Run, { cond, uncond }: Conditions): Inputs {
  const { plan, version } = run;
  const { form, scale } = plan.guidance;
  const { hiddenSize } = version.manifest;
  const count = form === 'OUTSIDE' ? 2 * plan.imageCount : plan.imageCount;
  const sample = new Float32Array(count * plan.latentSize);
  const timestep = new Float32Array(count);
  const states = (row: (index: number) => Float32Array) => ({
    shape: [count, plan.contextTokens, hiddenSize],
    data: stack(count, plan.contextTokens * hiddenSize, row),
  });
  const isNegative = (index: number) => form === 'OUTSIDE' && index < plan.imageCount;
  const fixed: Rows = {
    encoder_hidden_states: states((index) => (isNegative(index) ? (uncond ?? cond) : cond)),
    ...(plan.guidance.part === 'unet_cfg' && {
      uncond_hidden_states: states(() => uncond ?? cond),
      guidance: { shape: [count, 1], data: new Float32Array(count).fill(scale) },
    }),
  };
  const sampleShape = [count, ...plan.latentShape];
  const sampleOf = (row: number) => sample.subarray(row * plan.latentSize, (row + 1) * plan.latentSize);
  return {
    fill(pictures, i) {
      for (let row = 0; row < count; row += 1) {
        const picture = pictures[row % pictures.length];
        if (picture) modelInput(plan, picture, i, sampleOf(row));
      }
      timestep.fill(timestepOf(plan, i));
      return {
        sample: { shape: sampleShape, data: sample },
        timestep: { shape: [count, 1], data: timestep },
        ...fixed,
      };
    },
    ofPicture: sampleOf,
  };
}

function stack(count: number, size: number, row: (index: number) => Float32Array): Float32Array {
  const data = new Float32Array(count * size);
  for (let index = 0; index < count; index += 1) data.set(row(index), index * size);
  return data;
}

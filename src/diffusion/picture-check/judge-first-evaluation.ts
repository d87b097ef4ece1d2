import type { PredictionType } from '../../kernel/manifest.ts';
import type { GenerationPlan } from '../plan.ts';
import { at } from '../schedulers/scheduler.ts';
import { PICTURE_BOUNDS } from './bounds.ts';
import type { PictureFault } from './fault.ts';
import { noiseSlope, rootMeanSquare } from './measure-latents.ts';

/** The first evaluation of one picture that starts from noise alone, `plan.latentSize` values each. */
export interface FirstEvaluation {
  /** What the U-Net was given, scaled to its input. */
  readonly input: Float32Array;
  /** What it answered, guidance already applied. */
  readonly output: Float32Array;
}

type Judged = Pick<GenerationPlan, 'schedule' | 'latentShape' | 'guidance'>;

const PREDICTED: Readonly<Record<PredictionType, string>> = {
  epsilon: 'the noise',
  v_prediction: 'the velocity',
  sample: 'the picture',
};

/**
 * Judges the first evaluation of a whole run before anything is made of it: whether the model was given noise of
 * the strength that it was trained on, and whether it answers what its record says. Null when nothing is wrong with
 * it, and for a run that starts below `judgedFromSigma`, where it says nothing. What the model answers is not judged
 * above `answerJudgedToGuidance`. Not for a picture that is taken up again from a checkpoint. Pure.
 */
export function judgeFirstEvaluation(plan: Judged, evaluation: FirstEvaluation): PictureFault | null {
  const { evaluations } = plan.schedule;
  if (at(evaluations, 0).sigma < PICTURE_BOUNDS.judgedFromSigma) return null;
  return judgeInput(evaluation.input) ?? judgeAnswer(plan, evaluation);
}

function judgeInput(input: Float32Array): PictureFault | null {
  const seen = rootMeanSquare(input);
  const { inputRmsMin, inputRmsMax } = PICTURE_BOUNDS;
  if (seen >= inputRmsMin && seen <= inputRmsMax) return null;
  const message =
    `The model was given noise ${seen.toFixed(2)} times as strong as what it was trained on. ` +
    'Nothing was drawn, and nothing charged.';
  return { code: 'OUTPUT_IS_NOISE', kind: 'INPUT_SCALE', seen, message };
}

function judgeAnswer(
  { latentShape, guidance, schedule: { predictionType } }: Judged,
  { input, output }: FirstEvaluation,
): PictureFault | null {
  if (guidance.scale > PICTURE_BOUNDS.answerJudgedToGuidance) return null;
  const seen = noiseSlope(input, output, latentShape);
  const { noiseSlopeMin, noiseSlopeMax } = PICTURE_BOUNDS;
  if (predictionType === 'epsilon' ? seen >= noiseSlopeMin : seen <= noiseSlopeMax) return null;
  const message =
    `The model's record says that it predicts ${PREDICTED[predictionType]}, and its first answer has ` +
    `${seen.toFixed(2)} of its input's noise in it. Nothing was drawn, and nothing charged.`;
  return { code: 'OUTPUT_IS_NOISE', kind: 'PREDICTION_TYPE', seen, message };
}

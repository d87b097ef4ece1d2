/**
 * What is wrong with a picture.
 *
 * - `INPUT_SCALE`: the model was given latents of another strength than it was trained on.
 * - `PREDICTION_TYPE`: the model answers something else than its record says.
 * - `SATURATED`: the latents are many times as strong as a picture's.
 * - `NOISE`: the picture is as rough as noise, and nearly everywhere.
 * - `FLAT`: all of it has one colour.
 */
export type PictureFaultKind = 'INPUT_SCALE' | 'PREDICTION_TYPE' | 'SATURATED' | 'NOISE' | 'FLAT';

/** Why a job's pictures are not worth storing. */
export interface PictureFault {
  readonly code: 'OUTPUT_IS_NOISE' | 'OUTPUT_IS_FLAT';
  readonly kind: PictureFaultKind;
  /** What was measured and is out of bounds, for the log. */
  readonly seen: number;
  /** What was seen, for the tenant. */
  readonly message: string;
}

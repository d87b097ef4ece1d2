/**
 * Where the picture check draws its lines. Measured on pico and pico-noto at guidance 1 to 12 with fifteen
 * schedulers and all their sigma schedules; ADR 18 has the figures, and `npm run bench -- pictures` takes them anew.
 */
export const PICTURE_BOUNDS = {
  /**
   * Noise level, relative to the signal, from which on a first evaluation says what the model predicts. Its answer
   * repeats about 1 of the input's noise when it predicts the noise, and 1 / sigma of it when it predicts the
   * velocity. Below this, as with one to three steps under `leading`, the two come near one another.
   */
  judgedFromSigma: 4,
  /** A model said to predict the noise repeats more than this: good answers had 0.91 to 1.07, 0.82 at guidance 30. */
  noiseSlopeMin: 0.5,
  /**
   * One said to predict something else repeats less. What such models would have answered, made of pico's answers and
   * with their errors ten times as large, had up to 0.79 at guidance 10 and 12.
   */
  noiseSlopeMax: 0.85,
  /** Guidance multiplies what the prompt changes; at 100 good answers had as little as 0.48. */
  answerJudgedToGuidance: 30,

  /** Noise on its way in has 1; good inputs had 0.94 to 1.07, unscaled ones 8 to 15 and those of a wrong start 0.1. */
  inputRmsMin: 0.5,
  inputRmsMax: 2,

  /**
   * Latents of a picture have about 1; LMS and SA-Solver reach 9 at guidance 12, two steps of any 16, and guidance 100
   * reaches 35. With betas that are not the model's it was 87 to 10 to the power of 10.
   */
  latentRms: 50,

  /** What a decoder makes of latents that are all equal differs by less; the plainest good picture had 131. */
  flatLevels: 4,

  /** Pure noise had 0.97 and more. Thin lines on white reach 1.1 as well: they have quiet cells. */
  latentRoughness: 0.93,
  /** In levels of 255. Pure noise had 59 and more; what was as rough, no stronger, and showed a motif had 48. */
  cellStepLevels: 56,
  /** A cell is quiet when it differs from none of its neighbours by as much as this. */
  quietLevels: 8,
  /** Pure noise has no quiet cell. */
  quietShare: 0.05,
  /**
   * Noise that was never removed is as strong as it started, at 1.1 at most. What a scheduler makes of too high a
   * guidance can be as rough in every figure here, and was stronger, from 1.4 on: there is a castle to be seen in it.
   */
  noiseRms: 1.3,
} as const;

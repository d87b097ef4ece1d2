import type { Distillation, PredictionType } from '../../kernel/manifest.ts';
import type { SchedulerConfig, TimestepSpacing } from '../schedulers/config.ts';
import { TIMESTEP_SPACINGS } from '../schedulers/config.ts';

/** What the record of a model of a family may say of its training, and which jobs suit its weights. */
export interface FamilyRule {
  /** The noise that it was trained with, null where anything goes. */
  readonly betas: Pick<SchedulerConfig, 'betaStart' | 'betaEnd' | 'betaSchedule' | 'trainTimesteps'> | null;
  /** What models of the family predict, fine-tuned ones included. */
  readonly predictionTypes: readonly PredictionType[];
  /** Spacings that draw a picture; a record without one is accepted where all are. */
  readonly spacings: readonly TimestepSpacing[];
  /** Native sides in pixels, null where anything goes. */
  readonly nativeSizes: readonly number[] | null;
  /** The smallest and the largest side, in native ones. */
  readonly sides: { readonly min: number; readonly max: number };
  /** The pixels of a picture, in native ones, beyond which objects are doubled or lost. */
  readonly usualPixels: { readonly min: number; readonly max: number };
  /** How many times as long as wide a picture may be before that happens too. */
  readonly usualAspectMax: number;
  readonly usualGuidanceMax: number;
  /** Beyond it what is drawn is no picture any more. */
  readonly guidanceMax: number;
  /** What its weights are distilled for; a model may say more in its manifest. */
  readonly distilledFor: readonly Distillation[];
  /** The steps that distilled weights draw in, whatever the scheduler; null where the scheduler decides. */
  readonly stepsMax: number | null;
}

const BETAS = {
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule: 'scaled_linear',
  trainTimesteps: 1000,
} as const;

/** The record of Stable Diffusion 1.5: what schedulers are measured and described with. */
export const STABLE_DIFFUSION: SchedulerConfig = {
  ...BETAS,
  predictionType: 'epsilon',
  timestepSpacing: 'leading',
  stepsOffset: 1,
  setAlphaToOne: false,
  zeroTerminalSnr: false,
};

const SD15: FamilyRule = {
  betas: BETAS,
  predictionTypes: ['epsilon', 'v_prediction'],
  spacings: TIMESTEP_SPACINGS,
  nativeSizes: [512],
  // The U-Net halves three times what the VAE has divided by eight: 256 pixels leave 4x4 cells at its bottom.
  sides: { min: 1 / 2, max: 8 },
  usualPixels: { min: 0.5, max: 2 },
  usualAspectMax: 2,
  usualGuidanceMax: 20,
  guidanceMax: 100,
  distilledFor: [],
  stepsMax: null,
};

const SDXL: FamilyRule = {
  ...SD15,
  nativeSizes: [1024],
  // Trained on forty shapes of about one megapixel, up to 512x2048.
  usualAspectMax: 4,
  usualPixels: { min: 0.5, max: 1.75 },
  usualGuidanceMax: 15,
};

/** Takes what no other row forbids: for a family that nobody has told us of. */
export const UNKNOWN_FAMILY: FamilyRule = {
  ...SD15,
  betas: null,
  predictionTypes: ['epsilon', 'v_prediction', 'sample'],
  nativeSizes: null,
  sides: { min: 1 / 4, max: 8 },
  usualAspectMax: 4,
};

/** One row per family. Figures are those of the models' own records and of the pages that they were published with. */
export const FAMILY_RULES: Readonly<Record<string, FamilyRule>> = {
  SD15,
  SD15_INPAINT: { ...SD15, predictionTypes: ['epsilon'] },
  SD21: { ...SD15, nativeSizes: [512, 768] },
  SDXL,
  SDXL_REFINER: { ...SDXL, predictionTypes: ['epsilon'] },
  // One to four steps from the last training timestep down, which `trailing` alone begins with, and no guidance.
  TURBO: {
    ...SD15,
    predictionTypes: ['epsilon'],
    spacings: ['trailing'],
    usualGuidanceMax: 1,
    stepsMax: 8,
  },
  LCM: {
    ...SD15,
    predictionTypes: ['epsilon'],
    nativeSizes: [512, 768, 1024],
    usualGuidanceMax: 2,
    distilledFor: ['LCM'],
    stepsMax: 8,
  },
  // Shapes begin to tear at 15, are blotches at 30, and noise at 50.
  PICO: { ...UNKNOWN_FAMILY, betas: BETAS, usualGuidanceMax: 12, guidanceMax: 25 },
};

/** The row of a family, or that of an unknown one. */
export function familyRule(family: string): FamilyRule {
  return (Object.hasOwn(FAMILY_RULES, family) ? FAMILY_RULES[family] : undefined) ?? UNKNOWN_FAMILY;
}

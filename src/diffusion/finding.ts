import type { Manifest } from '../kernel/manifest.ts';
import type { SamplerOptions } from './sampler-options.ts';
import type { SchedulerConfig } from './schedulers/config.ts';
import type { Settings } from './settings.ts';

export const FINDING_CODES = [
  'PROMPT_EMPTY',
  'PROMPT_TOO_LONG',
  'PROMPT_WEIGHT_OUT_OF_RANGE',
  'SIZE_INVALID',
  'SIZE_TOO_LARGE',
  'STEPS_OUT_OF_RANGE',
  'GUIDANCE_OUT_OF_RANGE',
  'IMAGE_COUNT_OUT_OF_RANGE',
  'SEED_OUT_OF_RANGE',
  'SIGMA_SCHEDULE_UNSUPPORTED',
  'CLIP_SKIP_UNSUPPORTED',
  'PREDICTION_UNSUPPORTED',
  'OPTION_UNSUPPORTED',
  'OPTION_INVALID',
  'NEGATIVE_PROMPT_UNUSED',
] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

/** One thing that is wrong with a job's settings. An ERROR cannot run; a WARNING runs, perhaps not as meant. */
export interface Finding {
  readonly code: FindingCode;
  readonly severity: 'ERROR' | 'WARNING';
  /** Path of the API input's field. */
  readonly field: readonly string[];
  /** What is wrong, without the prompt's text. */
  readonly message: string;
  /** The nearest thing that would do, as an instruction. */
  readonly fix: string;
}

/** What is judged. */
export interface Subject {
  readonly manifest: Manifest;
  readonly schedulerConfig: SchedulerConfig;
  readonly settings: Settings;
  readonly options: SamplerOptions;
}

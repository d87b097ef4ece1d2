import type { Manifest } from '../../kernel/manifest.ts';
import type { SamplerOptions } from '../sampler-options.ts';
import type { SchedulerConfig } from '../schedulers/config.ts';
import type { Settings } from '../settings.ts';

export const FINDING_CODES = [
  'PROMPT_EMPTY',
  'PROMPT_TOO_LONG',
  'PROMPT_WEIGHT_OUT_OF_RANGE',
  'SIZE_INVALID',
  'SIZE_TOO_SMALL',
  'SIZE_TOO_LARGE',
  'SIZE_UNUSUAL',
  'STEPS_OUT_OF_RANGE',
  'STEPS_UNUSUAL',
  'EVALUATION_WASTED',
  'GUIDANCE_OUT_OF_RANGE',
  'GUIDANCE_UNUSUAL',
  'IMAGE_COUNT_OUT_OF_RANGE',
  'SEED_OUT_OF_RANGE',
  'DISTILLATION_MISSING',
  'DISTILLATION_UNUSED',
  'SIGMA_SCHEDULE_UNSUPPORTED',
  'CLIP_SKIP_UNSUPPORTED',
  'PREDICTION_UNSUPPORTED',
  'MODEL_RECORD_INVALID',
  'OPTION_UNSUPPORTED',
  'OPTION_INVALID',
  'ENDS_IN_NOISE',
  'CONTRAST_OFF',
  'NEGATIVE_PROMPT_UNUSED',
] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

/** One thing that is wrong with a job's settings. An ERROR cannot run; a WARNING runs, perhaps not as meant. */
export interface Finding<Code extends string = FindingCode> {
  readonly code: Code;
  readonly severity: 'ERROR' | 'WARNING';
  /** Path of the API input's field. */
  readonly field: readonly string[];
  /** What is wrong, without the prompt's text. */
  readonly message: string;
  /** The nearest thing that would do, as an instruction. */
  readonly fix: string;
}

/** What a rule says in words. */
export type Problem = Pick<Finding, 'message' | 'fix'>;

/** What is judged. */
export interface Subject {
  readonly manifest: Manifest;
  readonly schedulerConfig: SchedulerConfig;
  readonly settings: JudgedSettings;
  readonly options: SamplerOptions;
}

export type JudgedSettings = Settings & {
  /** Share of the run that is left for a picture to start from, above 0 to 1; the whole run when it is left out. */
  readonly strength?: number;
};

/** Judges one thing, without a throw whatever the values are. */
export type Rule = (subject: Subject) => readonly Finding[];

export function error(code: FindingCode, field: keyof JudgedSettings, problem: Problem): Finding {
  return { code, severity: 'ERROR', field: [field], ...problem };
}

export function warning(code: FindingCode, field: keyof JudgedSettings, problem: Problem): Finding {
  return { code, severity: 'WARNING', field: [field], ...problem };
}

import type { PredictionType } from '../../kernel/manifest.ts';
import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { BundleError } from '../bundle-error.ts';

export const BETA_SCHEDULES = ['linear', 'scaled_linear'] as const;
export const TIMESTEP_SPACINGS = ['linspace', 'leading', 'trailing'] as const;
export type TimestepSpacing = (typeof TIMESTEP_SPACINGS)[number];

/**
 * What a bundle's `scheduler_config.json` says about the model's training, in our spelling.
 *
 * Only what belongs to the model is read from it. What belongs to a job (the scheduler, the sigma
 * curve) or to a class of diffusers (solver order, corrector) is not, so that the file of one
 * class serves them all.
 */
export interface SchedulerConfig {
  readonly trainTimesteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betaSchedule: (typeof BETA_SCHEDULES)[number];
  readonly predictionType: PredictionType;
  /** Absent where the file has none: each scheduler then has its own habit, as in diffusers. */
  readonly timestepSpacing: TimestepSpacing | undefined;
  readonly stepsOffset: number;
  /**
   * The last step of DDIM and PNDM: true goes to the clean signal, false to the noise of training timestep 0.
   * Absent where the file has none: each of them then has its own habit, as in diffusers.
   */
  readonly setAlphaToOne: boolean | undefined;
  /** The last training timestep is noise alone (Lin et al. 2024), which not every scheduler can start from. */
  readonly zeroTerminalSnr: boolean;
}

// What would change the numbers if it were ignored. The classes' defaults are accepted, anything else is refused.
const UNSUPPORTED: Readonly<Record<string, unknown>> = {
  trained_betas: null,
  thresholding: false,
  interpolation_type: 'linear',
  timestep_type: 'discrete',
  final_sigmas_type: 'zero',
  sigma_min: null,
  sigma_max: null,
  use_flow_sigmas: false,
};

/**
 * Parses a bundle's `scheduler_config.json`. `clip_sample` is ignored on purpose: latents are not
 * pixels and are never clipped, whatever a class's default says.
 * Throws a `BundleError` that names the field for a missing or wrong value, and for an option that
 * would change the picture and is not supported.
 */
export function parseSchedulerConfig(json: unknown): SchedulerConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new BundleError('scheduler_config.json must hold one JSON object.');
  }
  const record: Readonly<Record<string, unknown>> = { ...json };
  refuseUnsupported(record);
  const betaStart = numberIn(record, 'beta_start', [Number.MIN_VALUE, 1]);
  return {
    trainTimesteps: wholeIn(record, 'num_train_timesteps', [2, 100_000]),
    betaStart,
    betaEnd: numberIn(record, 'beta_end', [betaStart, 1]),
    betaSchedule: oneOf(record, 'beta_schedule', BETA_SCHEDULES),
    predictionType: oneOf(record, 'prediction_type', PREDICTION_TYPES),
    timestepSpacing:
      record['timestep_spacing'] === undefined
        ? undefined
        : oneOf(record, 'timestep_spacing', TIMESTEP_SPACINGS),
    stepsOffset: record['steps_offset'] === undefined ? 0 : wholeIn(record, 'steps_offset', [0, 1]),
    setAlphaToOne: record['set_alpha_to_one'] === undefined ? undefined : flagIn(record, 'set_alpha_to_one'),
    zeroTerminalSnr:
      record['rescale_betas_zero_snr'] === undefined ? false : flagIn(record, 'rescale_betas_zero_snr'),
  };
}

function refuseUnsupported(record: Readonly<Record<string, unknown>>): void {
  for (const [field, neutral] of Object.entries(UNSUPPORTED)) {
    const value = record[field];
    if (value !== undefined && value !== null && value !== neutral) {
      throw fault(field, `${show(value)} is not supported; leave it at ${show(neutral)}`);
    }
  }
}

function oneOf<T extends string>(
  record: Readonly<Record<string, unknown>>,
  field: string,
  allowed: readonly T[],
): T {
  const found = allowed.find((each) => each === record[field]);
  if (found === undefined)
    throw fault(field, `must be one of ${allowed.join(', ')}, not ${show(record[field])}`);
  return found;
}

type Range = readonly [min: number, max: number];

function numberIn(record: Readonly<Record<string, unknown>>, field: string, [min, max]: Range): number {
  const value = record[field];
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    throw fault(field, `must be a number from ${min} to ${max}, not ${show(value)}`);
  }
  return value;
}

function flagIn(record: Readonly<Record<string, unknown>>, field: string): boolean {
  const value = record[field];
  if (typeof value !== 'boolean') throw fault(field, `must be true or false, not ${show(value)}`);
  return value;
}

function wholeIn(record: Readonly<Record<string, unknown>>, field: string, range: Range): number {
  const value = numberIn(record, field, range);
  if (!Number.isInteger(value)) throw fault(field, `must be a whole number, not ${show(value)}`);
  return value;
}

function fault(field: string, what: string): BundleError {
  return new BundleError(`scheduler_config.json: ${field} ${what}.`);
}

function show(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value).slice(0, 80);
}

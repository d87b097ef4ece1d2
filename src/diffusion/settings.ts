import type { Manifest } from '../kernel/manifest.ts';
import { BundleError } from './bundle-error.ts';
import type { SchedulerName, SigmaSchedule } from './names.ts';
import { isSchedulerName, isSigmaSchedule } from './names.ts';

/** Everything that decides a job's pictures, besides the model. Field names are the API input's. */
export interface Settings {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly scheduler: SchedulerName;
  readonly sigmaSchedule: SigmaSchedule;
  /** Which states of the text encoder are drawn with, counted from its last layer: 1 is that, 2 the one before. */
  readonly clipSkip: number;
  /** Seed of picture 0, 0 to 2^64 - 1; picture i has seed + i. */
  readonly seed: bigint;
  readonly imageCount: number;
}

/** What a job may say: the prompt and a seed that the caller has settled, and whatever else it names. */
export type SettingsInput = Pick<Settings, 'prompt' | 'seed'> & {
  readonly [Field in Exclude<keyof Settings, 'prompt' | 'seed'>]?: Settings[Field] | null | undefined;
};

/**
 * Fills what a job leaves out from the bundle's defaults, so that a stored job says all of it. Does not judge
 * the values: that is `validate`.
 *
 * A job that names its scheduler but no sigma schedule gets DEFAULT: the bundle's curve was chosen
 * for the bundle's scheduler.
 * Throws a `BundleError` when the manifest's defaults name a scheduler or curve that does not exist.
 */
export function resolveSettings(manifest: Manifest, input: SettingsInput): Settings {
  return {
    prompt: input.prompt,
    negativePrompt: input.negativePrompt ?? '',
    width: input.width ?? manifest.nativeSize,
    height: input.height ?? manifest.nativeSize,
    steps: input.steps ?? manifest.defaults.steps,
    guidanceScale: input.guidanceScale ?? manifest.defaults.guidanceScale,
    ...resolveSampler(manifest, input),
    clipSkip: input.clipSkip ?? 1,
    seed: input.seed,
    imageCount: input.imageCount ?? 1,
  };
}

type Sampler = Pick<Settings, 'scheduler' | 'sigmaSchedule'>;

function resolveSampler(manifest: Manifest, { scheduler, sigmaSchedule }: SettingsInput): Sampler {
  const defaults = defaultSampler(manifest);
  return {
    scheduler: scheduler ?? defaults.scheduler,
    sigmaSchedule: sigmaSchedule ?? (scheduler ? 'DEFAULT' : defaults.sigmaSchedule),
  };
}

function defaultSampler({ name, defaults }: Manifest): Sampler {
  const { scheduler, sigmaSchedule } = defaults;
  if (!isSchedulerName(scheduler))
    throw new BundleError(`Bundle ${name}: no scheduler is called ${scheduler}.`);
  if (!isSigmaSchedule(sigmaSchedule)) {
    throw new BundleError(`Bundle ${name}: no sigma schedule is called ${sigmaSchedule}.`);
  }
  return { scheduler, sigmaSchedule };
}

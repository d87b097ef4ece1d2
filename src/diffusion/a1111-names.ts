import type { SchedulerName, SigmaSchedule } from './names.ts';
import { READERS } from './sampler-options.ts';
import type { SamplerOptions } from './sampler-options.ts';
import { schedulerOf } from './schedulers/registry.ts';

/** A sampler as other programs name it, in our terms. */
export interface NamedSampler {
  readonly scheduler: SchedulerName;
  readonly sigmaSchedule: SigmaSchedule;
  readonly options: SamplerOptions;
}

interface Sampler extends Omit<NamedSampler, 'sigmaSchedule'> {
  readonly name: string;
}

interface ScheduleType extends Omit<NamedSampler, 'scheduler'> {
  readonly name: string;
}

/**
 * AUTOMATIC1111's sampler names, after the table in diffusers' documentation of schedulers.
 *
 * Two maps disagree on "DPM++ SDE": that table has DPMSolverSinglestep, InvokeAI has DPMSolverSDE. We follow
 * InvokeAI: A1111 runs k-diffusion's `sample_dpmpp_sde`, and DPMSolverSDE is that. "DPM fast", "DPM adaptive",
 * "DPM++ 2S a" and "DPM++ 3M SDE" have no counterpart.
 */
const SAMPLERS: readonly Sampler[] = [
  { name: 'Euler', scheduler: 'EULER_DISCRETE', options: {} },
  { name: 'Euler a', scheduler: 'EULER_ANCESTRAL_DISCRETE', options: {} },
  { name: 'Heun', scheduler: 'HEUN_DISCRETE', options: {} },
  { name: 'LMS', scheduler: 'LMS_DISCRETE', options: {} },
  { name: 'DPM2', scheduler: 'KDPM2_DISCRETE', options: {} },
  { name: 'DPM2 a', scheduler: 'KDPM2_ANCESTRAL_DISCRETE', options: {} },
  { name: 'DPM++ 2M', scheduler: 'DPM_SOLVER_MULTISTEP', options: {} },
  { name: 'DPM++ 2M SDE', scheduler: 'DPM_SOLVER_MULTISTEP', options: { algorithm: 'sde-dpmsolver++' } },
  { name: 'DPM++ SDE', scheduler: 'DPM_SOLVER_SDE', options: {} },
  { name: 'DDIM', scheduler: 'DDIM', options: {} },
  { name: 'PLMS', scheduler: 'PNDM', options: {} },
  { name: 'UniPC', scheduler: 'UNI_PC_MULTISTEP', options: {} },
  { name: 'LCM', scheduler: 'LCM', options: {} },
];

/** Its schedule types, which older versions put behind the sampler's name. */
const SCHEDULE_TYPES: readonly ScheduleType[] = [
  { name: 'Karras', sigmaSchedule: 'KARRAS', options: {} },
  { name: 'Exponential', sigmaSchedule: 'EXPONENTIAL', options: {} },
  { name: 'Beta', sigmaSchedule: 'BETA', options: {} },
  { name: 'Align Your Steps', sigmaSchedule: 'AYS', options: {} },
  { name: 'SGM Uniform', sigmaSchedule: 'DEFAULT', options: { timestepSpacing: 'trailing' } },
  { name: 'Simple', sigmaSchedule: 'DEFAULT', options: { timestepSpacing: 'trailing' } },
];

/**
 * Reads a sampler's name as AUTOMATIC1111 shows it, with or without a schedule type behind it ("DPM++ 2M SDE Karras"),
 * in any case; null for one that has no counterpart here. Whether the sampler can follow the schedule type is
 * `validate`'s business.
 */
export function parseA1111Name(text: string): NamedSampler | null {
  const name = fold(text);
  const type = SCHEDULE_TYPES.find((each) => name.endsWith(` ${fold(each.name)}`));
  const bare = type === undefined ? name : name.slice(0, -type.name.length - 1);
  const sampler = SAMPLERS.find((each) => fold(each.name) === bare);
  return sampler ? join(sampler, type) : null;
}

/** A name of AUTOMATIC1111 for what a scheduler does with one sigma schedule and some options. */
export interface SchedulerAlias extends Omit<NamedSampler, 'scheduler'> {
  readonly name: string;
}

/** Every name that `parseA1111Name` reads as this scheduler, with a schedule type that the scheduler can follow. */
export function aliasesOf(scheduler: SchedulerName): readonly SchedulerAlias[] {
  const types = SCHEDULE_TYPES.filter((type) => canFollow(scheduler, type));
  return SAMPLERS.filter((sampler) => sampler.scheduler === scheduler).flatMap((sampler) =>
    [undefined, ...types].map((type) => {
      const { sigmaSchedule, options } = join(sampler, type);
      return { name: type ? `${sampler.name} ${type.name}` : sampler.name, sigmaSchedule, options };
    }),
  );
}

function canFollow(scheduler: SchedulerName, { sigmaSchedule, options }: ScheduleType): boolean {
  const isSpaced = options.timestepSpacing === undefined || READERS.timestepSpacing.includes(scheduler);
  return isSpaced && schedulerOf(scheduler).sigmaSchedules.includes(sigmaSchedule);
}

function join(sampler: Sampler, type: ScheduleType | undefined): NamedSampler {
  return {
    scheduler: sampler.scheduler,
    sigmaSchedule: type?.sigmaSchedule ?? 'DEFAULT',
    options: { ...sampler.options, ...type?.options },
  };
}

function fold(name: string): string {
  return name.trim().toLowerCase().replaceAll(/\s+/g, ' ');
}

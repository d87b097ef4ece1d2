import type { SchedulerName, SigmaSchedule } from './names.ts';
import type { SamplerOptions } from './sampler-options.ts';

/** A sampler as other programs name it, in our terms. */
export interface NamedSampler {
  readonly scheduler: SchedulerName;
  readonly sigmaSchedule: SigmaSchedule;
  readonly options: SamplerOptions;
}

/**
 * AUTOMATIC1111's sampler names, after the table in diffusers' documentation of schedulers.
 *
 * Two maps disagree on "DPM++ SDE": that table has DPMSolverSinglestep, InvokeAI has DPMSolverSDE. We follow
 * InvokeAI: A1111 runs k-diffusion's `sample_dpmpp_sde`, and DPMSolverSDE is that. "DPM fast", "DPM adaptive",
 * "DPM++ 2S a" and "DPM++ 3M SDE" have no counterpart.
 */
const SAMPLERS: Readonly<Record<string, Omit<NamedSampler, 'sigmaSchedule'>>> = {
  euler: { scheduler: 'EULER_DISCRETE', options: {} },
  'euler a': { scheduler: 'EULER_ANCESTRAL_DISCRETE', options: {} },
  heun: { scheduler: 'HEUN_DISCRETE', options: {} },
  lms: { scheduler: 'LMS_DISCRETE', options: {} },
  dpm2: { scheduler: 'KDPM2_DISCRETE', options: {} },
  'dpm2 a': { scheduler: 'KDPM2_ANCESTRAL_DISCRETE', options: {} },
  'dpm++ 2m': { scheduler: 'DPM_SOLVER_MULTISTEP', options: {} },
  'dpm++ 2m sde': { scheduler: 'DPM_SOLVER_MULTISTEP', options: { algorithm: 'sde-dpmsolver++' } },
  'dpm++ sde': { scheduler: 'DPM_SOLVER_SDE', options: {} },
  ddim: { scheduler: 'DDIM', options: {} },
  plms: { scheduler: 'PNDM', options: {} },
  unipc: { scheduler: 'UNI_PC_MULTISTEP', options: {} },
  lcm: { scheduler: 'LCM', options: {} },
};

/** Its schedule types, which older versions put behind the sampler's name. */
const SCHEDULE_TYPES: Readonly<Record<string, Omit<NamedSampler, 'scheduler'>>> = {
  karras: { sigmaSchedule: 'KARRAS', options: {} },
  exponential: { sigmaSchedule: 'EXPONENTIAL', options: {} },
  beta: { sigmaSchedule: 'BETA', options: {} },
  'align your steps': { sigmaSchedule: 'AYS', options: {} },
  'sgm uniform': { sigmaSchedule: 'DEFAULT', options: { timestepSpacing: 'trailing' } },
  simple: { sigmaSchedule: 'DEFAULT', options: { timestepSpacing: 'trailing' } },
};

/**
 * Reads a sampler's name as AUTOMATIC1111 shows it, with or without a schedule type behind it ("DPM++ 2M SDE Karras"),
 * in any case; null for one that has no counterpart here. Whether the sampler can follow the schedule type is
 * `validate`'s business.
 */
export function parseA1111Name(text: string): NamedSampler | null {
  const name = text.trim().toLowerCase().replaceAll(/\s+/g, ' ');
  const type = Object.keys(SCHEDULE_TYPES).find((each) => name.endsWith(` ${each}`));
  const bare = type === undefined ? name : name.slice(0, -type.length - 1);
  const sampler = Object.hasOwn(SAMPLERS, bare) ? SAMPLERS[bare] : undefined;
  if (!sampler) return null;
  const schedule = type === undefined ? undefined : SCHEDULE_TYPES[type];
  return {
    scheduler: sampler.scheduler,
    sigmaSchedule: schedule?.sigmaSchedule ?? 'DEFAULT',
    options: { ...sampler.options, ...schedule?.options },
  };
}

/** Every scheduler that the platform names: the classes of diffusers that suit Stable Diffusion. */
export const SCHEDULER_NAMES = [
  'DDIM',
  'DDPM',
  'PNDM',
  'LMS_DISCRETE',
  'EULER_DISCRETE',
  'EULER_ANCESTRAL_DISCRETE',
  'HEUN_DISCRETE',
  'DPM_SOLVER_MULTISTEP',
  'DPM_SOLVER_SINGLESTEP',
  'DPM_SOLVER_SDE',
  'KDPM2_DISCRETE',
  'KDPM2_ANCESTRAL_DISCRETE',
  'DEIS_MULTISTEP',
  'UNI_PC_MULTISTEP',
  'LCM',
  'TCD',
  'SA_SOLVER',
] as const;

export type SchedulerName = (typeof SCHEDULER_NAMES)[number];

/** How the noise levels of a run are spread: the scheduler's own spacing, or one of the named curves. */
export const SIGMA_SCHEDULES = ['DEFAULT', 'KARRAS', 'EXPONENTIAL', 'BETA', 'AYS'] as const;

export type SigmaSchedule = (typeof SIGMA_SCHEDULES)[number];

/** Narrows any text to a scheduler's name, built or not. */
export function isSchedulerName(text: string): text is SchedulerName {
  return SCHEDULER_NAMES.some((name) => name === text);
}

/** Narrows any text to a sigma schedule's name. */
export function isSigmaSchedule(text: string): text is SigmaSchedule {
  return SIGMA_SCHEDULES.some((name) => name === text);
}

import type { SchedulerName } from './names.ts';
import type { TimestepSpacing } from './schedulers/config.ts';
import { TIMESTEP_SPACINGS } from './schedulers/config.ts';

export const SOLVER_ORDERS = [1, 2, 3] as const;
export const ALGORITHMS = ['dpmsolver++', 'sde-dpmsolver++'] as const;

/** How a scheduler is to work, where it leaves a choice. What is left out is as diffusers' pipelines have it. */
export interface SamplerOptions {
  /** How timesteps are spread; the model's record has its own. */
  readonly timestepSpacing?: TimestepSpacing;
  /** The timesteps themselves, falling; as many as there are steps. */
  readonly timesteps?: readonly number[];
  /** The noise levels themselves, falling, and after the last step 0 or near it: one more than steps. */
  readonly sigmas?: readonly number[];
  /** Share of fresh noise in a step that could do without: 0 to 1. */
  readonly eta?: number;
  /** Noise added before a step and taken off again, over the whole run (Karras et al. 2022, Algorithm 2). */
  readonly sChurn?: number;
  /** Strength of the noise that is added, 1 being its natural one. */
  readonly sNoise?: number;
  readonly solverOrder?: (typeof SOLVER_ORDERS)[number];
  /** Whether the solver follows the ODE, or the SDE with fresh noise in every step. */
  readonly algorithm?: (typeof ALGORITHMS)[number];
}

export type SamplerOption = keyof SamplerOptions;

/** What an option may be: a number of a range, one of a few values, or a list of numbers of a range. */
export type OptionDomain =
  | { readonly kind: 'RANGE'; readonly min: number; readonly max: number; readonly default: number }
  | {
      readonly kind: 'CHOICE';
      readonly values: readonly (string | number)[];
      /** Null where the model's record decides. */
      readonly default: string | number | null;
    }
  /** The most is null where the model's record decides. */
  | { readonly kind: 'LIST'; readonly min: number; readonly max: number | null };

/** Every option: what validation accepts, what schedulers take when it is left out, and what is told of it. */
export const OPTION_DOMAINS = {
  timestepSpacing: { kind: 'CHOICE', values: TIMESTEP_SPACINGS, default: null },
  // The largest is the last training timestep, which the model's record says.
  timesteps: { kind: 'LIST', min: 0, max: null },
  // The largest stands for noise alone; no model is trained beyond it, and a larger one is nothing to compute with.
  sigmas: { kind: 'LIST', min: 0, max: 4096 },
  eta: { kind: 'RANGE', min: 0, max: 1, default: 0 },
  // The largest is where a step's share of it saturates, for as many steps as there can be.
  sChurn: { kind: 'RANGE', min: 0, max: 1000, default: 0 },
  sNoise: { kind: 'RANGE', min: 0, max: 2, default: 1 },
  solverOrder: { kind: 'CHOICE', values: SOLVER_ORDERS, default: 2 },
  algorithm: { kind: 'CHOICE', values: ALGORITHMS, default: 'dpmsolver++' },
} as const satisfies Readonly<Record<SamplerOption, OptionDomain>>;

export const SAMPLER_OPTIONS = [
  'timestepSpacing',
  'timesteps',
  'sigmas',
  'eta',
  'sChurn',
  'sNoise',
  'solverOrder',
  'algorithm',
] as const satisfies readonly SamplerOption[];

/** Everything that some schedulers read and others do not: the options, and what a model's record may ask. */
export type SchedulerKnob = SamplerOption | 'zeroTerminalSnr';

const SPACED = [
  'DDIM',
  'DDPM',
  'PNDM',
  'LMS_DISCRETE',
  'EULER_DISCRETE',
  'EULER_ANCESTRAL_DISCRETE',
  'HEUN_DISCRETE',
  'DPM_SOLVER_MULTISTEP',
  'DPM_SOLVER_SDE',
  'KDPM2_DISCRETE',
  'KDPM2_ANCESTRAL_DISCRETE',
  'DEIS_MULTISTEP',
  'UNI_PC_MULTISTEP',
  'SA_SOLVER',
] as const;

/** The schedulers that take timesteps from outside, and so an align-your-steps schedule. */
export const CUSTOM_TIMESTEPS = [
  'DDPM',
  'EULER_DISCRETE',
  'HEUN_DISCRETE',
  'DPM_SOLVER_MULTISTEP',
  'DPM_SOLVER_SINGLESTEP',
  'LCM',
  'TCD',
] as const;

/** Which schedulers read which knob. diffusers ignores one that a class lacks; here it is refused. */
export const READERS: Readonly<Record<SchedulerKnob, readonly SchedulerName[]>> = {
  timestepSpacing: SPACED,
  timesteps: CUSTOM_TIMESTEPS,
  sigmas: ['EULER_DISCRETE'],
  eta: ['DDIM', 'TCD'],
  sChurn: ['EULER_DISCRETE'],
  sNoise: ['EULER_DISCRETE', 'DPM_SOLVER_SDE'],
  solverOrder: ['DPM_SOLVER_MULTISTEP'],
  algorithm: ['DPM_SOLVER_MULTISTEP'],
  zeroTerminalSnr: [
    'DDIM',
    'DDPM',
    'EULER_DISCRETE',
    'EULER_ANCESTRAL_DISCRETE',
    'DPM_SOLVER_MULTISTEP',
    'UNI_PC_MULTISTEP',
    'LCM',
    'TCD',
  ],
};

import type { Distillation } from '../../kernel/manifest.ts';
import type { SchedulerName } from '../names.ts';

/** How many steps are worth while: fewer show, more cost and show nothing new. */
export interface UsefulSteps {
  readonly min: number;
  readonly max: number;
}

/** What is known of a scheduler besides its arithmetic. */
export interface SchedulerRule {
  readonly diffusersClass: string;
  /** One sentence: what to take it for. */
  readonly suits: string;
  /** The distillation that a model needs for it, null when any model will do. */
  readonly distillation: Distillation | null;
  readonly steps: UsefulSteps;
}

/** One row per scheduler. The fewest useful steps are those from which `stepBounds` has no warning with DEFAULT. */
export const SCHEDULER_RULES: Readonly<Record<SchedulerName, SchedulerRule>> = {
  DDIM: {
    diffusersClass: 'DDIMScheduler',
    suits: 'Suits repeatable pictures, and going back from a picture to its noise.',
    distillation: null,
    steps: { min: 6, max: 100 },
  },
  DDPM: {
    diffusersClass: 'DDPMScheduler',
    suits: 'Suits comparison with papers: the chain that models are trained on, and slow.',
    distillation: null,
    steps: { min: 9, max: 250 },
  },
  PNDM: {
    diffusersClass: 'PNDMScheduler',
    suits: 'Suits pictures that are to look as they did with the first Stable Diffusion.',
    distillation: null,
    steps: { min: 6, max: 50 },
  },
  LMS_DISCRETE: {
    diffusersClass: 'LMSDiscreteScheduler',
    suits: 'Suits old recipes that name it; newer multistep solvers are steadier.',
    distillation: null,
    steps: { min: 4, max: 50 },
  },
  EULER_DISCRETE: {
    diffusersClass: 'EulerDiscreteScheduler',
    suits: 'Suits any model: simple, robust, and the one to compare others with.',
    distillation: null,
    steps: { min: 6, max: 60 },
  },
  EULER_ANCESTRAL_DISCRETE: {
    diffusersClass: 'EulerAncestralDiscreteScheduler',
    suits: 'Suits variety and lively detail; a picture keeps changing as steps are added.',
    distillation: null,
    steps: { min: 9, max: 60 },
  },
  HEUN_DISCRETE: {
    diffusersClass: 'HeunDiscreteScheduler',
    suits: 'Suits clean pictures from few steps, each at the price of two evaluations.',
    distillation: null,
    steps: { min: 8, max: 30 },
  },
  DPM_SOLVER_MULTISTEP: {
    diffusersClass: 'DPMSolverMultistepScheduler',
    suits: 'Suits most work: good pictures from 15 to 25 evaluations, best with KARRAS.',
    distillation: null,
    steps: { min: 5, max: 40 },
  },
  DPM_SOLVER_SINGLESTEP: {
    diffusersClass: 'DPMSolverSinglestepScheduler',
    suits: 'Suits strong guidance, where multistep solvers begin to ring.',
    distillation: null,
    steps: { min: 5, max: 40 },
  },
  DPM_SOLVER_SDE: {
    diffusersClass: 'DPMSolverSDEScheduler',
    suits: 'Suits rich texture with KARRAS, each step at the price of two evaluations.',
    distillation: null,
    steps: { min: 5, max: 30 },
  },
  KDPM2_DISCRETE: {
    diffusersClass: 'KDPM2DiscreteScheduler',
    suits: 'Suits old recipes that name DPM2; each step has the price of two evaluations.',
    distillation: null,
    steps: { min: 5, max: 30 },
  },
  KDPM2_ANCESTRAL_DISCRETE: {
    diffusersClass: 'KDPM2AncestralDiscreteScheduler',
    suits: 'Suits old recipes that name DPM2 a; it wants many steps, each of two evaluations.',
    distillation: null,
    steps: { min: 19, max: 50 },
  },
  DEIS_MULTISTEP: {
    diffusersClass: 'DEISMultistepScheduler',
    suits: 'Suits few evaluations with the default noise levels.',
    distillation: null,
    steps: { min: 5, max: 40 },
  },
  UNI_PC_MULTISTEP: {
    diffusersClass: 'UniPCMultistepScheduler',
    suits: 'Suits quick drafts: the most accurate of one evaluation per step from few steps.',
    distillation: null,
    steps: { min: 5, max: 40 },
  },
  LCM: {
    diffusersClass: 'LCMScheduler',
    suits: 'Suits models distilled for it: a picture from four steps.',
    distillation: 'LCM',
    steps: { min: 2, max: 8 },
  },
  TCD: {
    diffusersClass: 'TCDScheduler',
    suits: 'Suits models distilled for it: a picture from four steps, sharper as eta falls.',
    distillation: 'TCD',
    steps: { min: 2, max: 8 },
  },
  SA_SOLVER: {
    diffusersClass: 'SASolverScheduler',
    suits: 'Suits variety from a solver of higher order, with the default noise levels.',
    distillation: null,
    steps: { min: 4, max: 50 },
  },
};

import type { SchedulerName } from '../names.ts';
import { ddim } from './ddim.ts';
import { ddpm } from './ddpm.ts';
import { deisMultistep } from './deis-multistep.ts';
import { dpmSolverMultistep } from './dpm-solver-multistep.ts';
import { dpmSolverSde } from './dpm-solver-sde.ts';
import { dpmSolverSinglestep } from './dpm-solver-singlestep.ts';
import { eulerAncestralDiscrete } from './euler-ancestral-discrete.ts';
import { eulerDiscrete } from './euler-discrete.ts';
import { heunDiscrete } from './heun-discrete.ts';
import { kdpm2AncestralDiscrete } from './kdpm2-ancestral-discrete.ts';
import { kdpm2Discrete } from './kdpm2-discrete.ts';
import { lcm } from './lcm.ts';
import { lmsDiscrete } from './lms-discrete.ts';
import { pndm } from './pndm.ts';
import { saSolver } from './sa-solver.ts';
import type { Scheduler } from './scheduler.ts';
import { tcd } from './tcd.ts';
import { uniPcMultistep } from './uni-pc-multistep.ts';

/** Every scheduler, by its name in the API. */
const SCHEDULERS = {
  DDIM: ddim,
  DDPM: ddpm,
  PNDM: pndm,
  LMS_DISCRETE: lmsDiscrete,
  EULER_DISCRETE: eulerDiscrete,
  EULER_ANCESTRAL_DISCRETE: eulerAncestralDiscrete,
  HEUN_DISCRETE: heunDiscrete,
  DPM_SOLVER_MULTISTEP: dpmSolverMultistep,
  DPM_SOLVER_SINGLESTEP: dpmSolverSinglestep,
  DPM_SOLVER_SDE: dpmSolverSde,
  KDPM2_DISCRETE: kdpm2Discrete,
  KDPM2_ANCESTRAL_DISCRETE: kdpm2AncestralDiscrete,
  DEIS_MULTISTEP: deisMultistep,
  UNI_PC_MULTISTEP: uniPcMultistep,
  LCM: lcm,
  TCD: tcd,
  SA_SOLVER: saSolver,
} as const satisfies Readonly<Record<SchedulerName, object>>;

/**
 * The scheduler of that name, with its state's type forgotten: a state goes back only to the
 * scheduler that made it, which the plan's `scheduler` field ensures.
 */
export function schedulerOf(name: SchedulerName): Scheduler {
  return SCHEDULERS[name];
}

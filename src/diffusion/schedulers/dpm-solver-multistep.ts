import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { integrateOde } from './exponential-integrator.ts';
import { EXPONENTIAL_SCHEDULES, exponentialLevels, exponentialStepsMax } from './exponential-levels.ts';
import type { MultistepEvaluation, MultistepState, Update } from './multistep.ts';
import { multistep, noHistory } from './multistep.ts';
import { denoiseVariancePreserving, toLevel } from './prediction.ts';
import type { Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import { variancePreserving } from './variance-preserving.ts';

const { fround } = Math;

const ORDER = 2;

/**
 * DPM-Solver++ (2M), midpoint form (Lu et al. 2022, "DPM-Solver++", Algorithm 2;
 * `DPMSolverMultistepScheduler` in diffusers with its defaults). One U-Net evaluation per step;
 * the second-order term comes from the denoised estimate of the evaluation before.
 *
 * The first step has no estimate to lean on and the last one goes to sigma 0, where the
 * second-order weights are undefined: both are first-order, whatever the number of steps.
 */
export const dpmSolverMultistep: Scheduler<MultistepState, MultistepEvaluation> = {
  ...variancePreserving,
  sigmaSchedules: EXPONENTIAL_SCHEDULES,
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,
  stepsMax: exponentialStepsMax,

  plan(steps, request) {
    const { predictionType } = request.config;
    const levels = exponentialLevels(steps, request);
    const sigmas = [...levels.sigmas.map(fround), 0];
    return {
      predictionType,
      evaluations: levels.timesteps.map((timestep, i) => ({
        timestep,
        sigma: at(sigmas, i),
        draws: 0,
        estimate: denoiseVariancePreserving(predictionType, toLevel(at(sigmas, i))),
        updates: updatesAt(sigmas, i),
        memory: ORDER,
      })),
      finalSigma: 0,
      initSigma: 1,
    };
  },

  start: () => noHistory,

  step: multistep,
};

function updatesAt(sigmas: readonly number[], i: number): readonly Update[] {
  const order = i === sigmas.length - 2 ? 1 : Math.min(ORDER, i + 1);
  const step = integrateOde(at(sigmas, i), at(sigmas, i + 1));
  const first: Update = { latents: step.latents, estimates: [step.constant], noise: 0 };
  if (order === 1) return [first];
  const r0 = Math.log(at(sigmas, i - 1) / at(sigmas, i)) / step.h;
  const slope = (0.5 * step.constant) / r0;
  return [first, { ...first, estimates: [step.constant + slope, -slope] }];
}

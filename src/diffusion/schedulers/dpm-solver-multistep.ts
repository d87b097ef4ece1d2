import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { OPTION_DOMAINS } from '../sampler-options.ts';
import type { ExponentialStep } from './exponential-integrator.ts';
import { integrateOde, integrateSde } from './exponential-integrator.ts';
import { EXPONENTIAL_SCHEDULES, exponentialLevels, exponentialStepsMax } from './exponential-levels.ts';
import type { MultistepEvaluation, MultistepState, Update } from './multistep.ts';
import { LONG_RUN_STEPS, multistep, noHistory } from './multistep.ts';
import { denoiseVariancePreserving, toLevel } from './prediction.ts';
import type { Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import { variancePreserving } from './variance-preserving.ts';

const { fround } = Math;

/**
 * DPM-Solver++ multistep, midpoint form (Lu et al. 2022, "DPM-Solver++", Algorithm 2, and its section 5 for the
 * SDE; `DPMSolverMultistepScheduler` in diffusers). One U-Net evaluation per step; the terms of second and third
 * order come from the denoised estimates of the evaluations before.
 *
 * The first step has no estimate to lean on and the last one goes to sigma 0, where the
 * second-order weights are undefined: both are first-order, whatever the number of steps.
 */
export const dpmSolverMultistep: Scheduler<MultistepState, MultistepEvaluation> = {
  ...variancePreserving,
  sigmaSchedules: [...EXPONENTIAL_SCHEDULES, 'AYS'],
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,
  stepsMax: exponentialStepsMax,

  plan(steps, request) {
    const { predictionType } = request.config;
    const levels = exponentialLevels(steps, request);
    const sigmas = [...levels.sigmas.map(fround), 0];
    const { solverOrder = OPTION_DOMAINS.solverOrder.default, algorithm = OPTION_DOMAINS.algorithm.default } =
      request.options ?? {};
    const isStochastic = algorithm === 'sde-dpmsolver++';
    const integrate = isStochastic ? integrateSde : integrateOde;
    return {
      predictionType,
      evaluations: levels.timesteps.map((timestep, i) => ({
        timestep,
        sigma: at(sigmas, i),
        draws: isStochastic ? 1 : 0,
        estimate: denoiseVariancePreserving(predictionType, toLevel(at(sigmas, i))),
        updates: updatesAt(sigmas, i, { integrate, order: orderAt(i, steps, solverOrder) }),
        memory: solverOrder,
      })),
      finalSigma: 0,
      initSigma: 1,
    };
  },

  start: () => noHistory,

  step: multistep,
};

function orderAt(i: number, steps: number, max: number): number {
  if (i === steps - 1) return 1;
  return Math.min(max, i + 1, i === steps - 2 && steps < LONG_RUN_STEPS ? 2 : max);
}

interface Solver {
  readonly order: number;
  readonly integrate: (from: number, to: number) => ExponentialStep;
}

/** What to do with one estimate, with two, up to `order`. */
function updatesAt(sigmas: readonly number[], i: number, { order, integrate }: Solver): readonly Update[] {
  const step = integrate(at(sigmas, i), at(sigmas, i + 1));
  const { latents, noise } = step;
  // A distance between evaluations behind, as a share of the step.
  const ratio = (k: number) => Math.log(at(sigmas, i - k - 1) / at(sigmas, i - k)) / step.h;
  const weights = [
    () => [step.constant],
    () => secondOrder(step, ratio(0)),
    () => thirdOrder(step, ratio(0), ratio(1)),
  ];
  return weights.slice(0, order).map((estimates) => ({ latents, noise, estimates: estimates() }));
}

/** The midpoint form: the slope between the last two estimates, for half a step. */
function secondOrder({ constant }: ExponentialStep, r0: number): readonly number[] {
  const slope = (0.5 * constant) / r0;
  return [constant + slope, -slope];
}

/** The parabola through the last three estimates. */
function thirdOrder(
  { constant, linear, quadratic }: ExponentialStep,
  r0: number,
  r1: number,
): readonly number[] {
  const bend = (linear * r0 + quadratic) / (r0 + r1);
  const newer = (linear + bend) / r0;
  const older = -bend / r1;
  return [constant + newer, older - newer, -older];
}

import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { EXPONENTIAL_SCHEDULES, exponentialLevels, exponentialStepsMax } from './exponential-levels.ts';
import { solve } from './linear-system.ts';
import type { Update } from './multistep.ts';
import { denoiseVariancePreserving, toLevel } from './prediction.ts';
import type { CorrectedEvaluation, CorrectedState } from './predictor-corrector.ts';
import { nothingToCorrect, predictCorrect } from './predictor-corrector.ts';
import type { Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import { variancePreserving } from './variance-preserving.ts';

const { fround } = Math;

const ORDER = 2;

/**
 * UniPC with B2(h) (Zhao et al. 2023, "UniPC", Algorithms 1 and 2; `UniPCMultistepScheduler` in diffusers with its
 * defaults): a multistep predictor on the denoised estimate, and a corrector of one order more that takes the step
 * before again with the estimate at its end. That estimate is the one the next prediction needs too, so there is one
 * U-Net evaluation per step. Nothing corrects the last step.
 */
export const uniPcMultistep: Scheduler<CorrectedState, CorrectedEvaluation> = {
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
        updates: orders(orderAt(i, steps)).map((order) => predict(sigmas, i, order)),
        corrections: i === 0 ? [] : orders(orderAt(i - 1, steps)).map((order) => correct(sigmas, i, order)),
        memory: ORDER + 1,
      })),
      finalSigma: 0,
      initSigma: 1,
    };
  },

  start: () => nothingToCorrect,

  step: predictCorrect,
};

/** The order falls towards the end, where there are no more steps than that. */
function orderAt(i: number, steps: number): number {
  return Math.min(ORDER, steps - i, i + 1);
}

function orders(max: number): readonly number[] {
  return Array.from({ length: max }, (_, k) => k + 1);
}

/** The step from level i with estimates of `order` evaluations, the last of them there. */
function predict(sigmas: readonly number[], i: number, order: number): Update {
  const step = stepFrom(sigmas, i);
  const ratios = ratiosBehind(sigmas, i, order);
  // Of second order the system has the solution 1/2 whatever the step, up to what the method neglects anyway.
  const shares = order === 2 ? [0.5] : solve(vandermonde(ratios), moments(step.h, order - 1));
  const differences = shares.map((share, k) => (step.growth * share) / at(ratios, k));
  const newest = step.growth - differences.reduce((sum, each) => sum + each, 0);
  return { latents: step.latents, estimates: [newest, ...differences], noise: 0 };
}

/** The step to level i again, with the estimate there and those of `order` evaluations before it. */
function correct(sigmas: readonly number[], i: number, order: number): Update {
  const step = stepFrom(sigmas, i - 1);
  const ratios = [...ratiosBehind(sigmas, i - 1, order), 1];
  const shares = order === 1 ? [0.5] : solve(vandermonde(ratios), moments(step.h, order));
  const differences = shares.map((share, k) => (step.growth * share) / at(ratios, k));
  const before = step.growth - differences.reduce((sum, each) => sum + each, 0);
  return {
    latents: step.latents,
    estimates: [differences.at(-1) ?? 0, before, ...differences.slice(0, -1)],
    noise: 0,
  };
}

function stepFrom(sigmas: readonly number[], i: number) {
  const [from, to] = [at(sigmas, i), at(sigmas, i + 1)];
  const { alpha, std } = toLevel(to);
  // -alpha B(h) with B(h) = exp(-h) - 1.
  return { h: Math.log(from / to), latents: std / toLevel(from).std, growth: alpha * (1 - to / from) };
}

/** Distances in lambda from level i back to the `order - 1` before it, as shares of the step from there: negative. */
function ratiosBehind(sigmas: readonly number[], i: number, order: number): readonly number[] {
  const h = Math.log(at(sigmas, i) / at(sigmas, i + 1));
  return Array.from({ length: order - 1 }, (_, k) => Math.log(at(sigmas, i) / at(sigmas, i - 1 - k)) / h);
}

function vandermonde(ratios: readonly number[]): readonly (readonly number[])[] {
  return ratios.map((_, power) => ratios.map((ratio) => ratio ** power));
}

/** The right-hand side: phi functions of -h by B(h) (Zhao et al. 2023, equation 6). */
function moments(h: number, count: number): readonly number[] {
  const scale = Math.expm1(-h);
  let phi = scale / -h - 1;
  let factorial = 1;
  return Array.from({ length: count }, (_, k) => {
    const moment = (phi * factorial) / scale;
    factorial *= k + 2;
    phi = phi / -h - 1 / factorial;
    return moment;
  });
}

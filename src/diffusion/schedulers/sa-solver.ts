import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { weightedSum } from '../kernels.ts';
import {
  EXPONENTIAL_SCHEDULES,
  exponentialLevels,
  exponentialStepsMax,
  withTrainedEnd,
} from './exponential-levels.ts';
import type { Update } from './multistep.ts';
import type { Level } from './prediction.ts';
import { denoiseVariancePreserving, levelOfAlphaBar, toLevel } from './prediction.ts';
import type { CorrectedEvaluation, CorrectedState } from './predictor-corrector.ts';
import { nothingToCorrect, predictCorrect } from './predictor-corrector.ts';
import type { Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import { trainingAlphaBars } from './sigmas.ts';
import { variancePreserving } from './variance-preserving.ts';

const ORDER = 2;
// Noise is added between these training timesteps, and the ends of a run are deterministic.
const NOISY = { from: 200, to: 800 } as const;

interface SaEvaluation extends CorrectedEvaluation {
  /** The level of the whole timestep, which a run that starts here is noised to: not quite that of `sigma`. */
  readonly trained: Level;
}

/**
 * The stochastic Adams method (Xue et al. 2023, "SA-Solver", Algorithm 1 with predictor and corrector of two steps;
 * `SASolverScheduler` in diffusers with its defaults, data prediction and tau 1 in the middle of the run). One U-Net
 * evaluation per step. Every one draws noise, also where tau is 0 and nothing comes of it. It stops at the lowest level
 * of training, never at 0.
 */
export const saSolver: Scheduler<CorrectedState, SaEvaluation> = {
  ...variancePreserving,
  sigmaSchedules: EXPONENTIAL_SCHEDULES,
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,
  stepsMax: exponentialStepsMax,

  plan(steps, request) {
    const { predictionType } = request.config;
    const table = trainingAlphaBars(request.config);
    const levels = exponentialLevels(steps, request);
    const sigmas = withTrainedEnd(levels, request);
    const tau = (i: number) => tauAt(at(levels.timesteps, i));
    return {
      predictionType,
      evaluations: levels.timesteps.map((timestep, i) => ({
        timestep,
        sigma: at(sigmas, i),
        draws: 1,
        estimate: denoiseVariancePreserving(predictionType, toLevel(at(sigmas, i))),
        updates: updatesAt(sigmas, i, tau(i)),
        corrections: i === 0 ? [] : [correct(sigmas, i, tau(i - 1))],
        memory: ORDER,
        trained: levelOfAlphaBar(at(table, timestep)),
      })),
      finalSigma: at(sigmas, steps),
      initSigma: 1,
    };
  },

  start: () => nothingToCorrect,

  addNoise({ evaluations }, i, clean, noise, out) {
    const { alpha, std } = at(evaluations, i).trained;
    weightedSum({ a: alpha, b: std }, { x: clean, y: noise }, out);
  },

  step: predictCorrect,
};

function tauAt(timestep: number): number {
  return timestep >= NOISY.from && timestep <= NOISY.to ? 1 : 0;
}

/** Of first order at both ends of a run. */
function updatesAt(sigmas: readonly number[], i: number, tau: number): readonly Update[] {
  const { latents, noise, scale, area, h } = stepFrom(sigmas, i, tau);
  const first: Update = { latents, noise, estimates: [scale * area] };
  if (i === 0 || i === sigmas.length - 2) return [first];
  const back = Math.log(at(sigmas, i - 1) / at(sigmas, i));
  const slope = h ** 2 / 2 / back;
  return [first, { latents, noise, estimates: [scale * (area + slope), -scale * slope] }];
}

/** The step to level i again, with the line through the estimates at its two ends. */
function correct(sigmas: readonly number[], i: number, tau: number): Update {
  const { latents, noise, scale, area, h } = stepFrom(sigmas, i - 1, tau);
  const slope = h / 2;
  return { latents, noise, estimates: [scale * slope, scale * (area - slope)] };
}

/**
 * The coefficients of a step in lambda = -ln sigma (Xue et al. 2023, equations 14 and 15). `area` is the integral of
 * the weight exp(-(1 + tau^2) (end - lambda)) over the step. That of the distance from the start is taken as h^2 / 2,
 * without the weight, as in diffusers, where a correction to the exact one comes to the same.
 */
function stepFrom(sigmas: readonly number[], i: number, tau: number) {
  const [from, to] = [at(sigmas, i), at(sigmas, i + 1)];
  const { alpha, std } = toLevel(to);
  const h = Math.log(from / to);
  const speed = 1 + tau ** 2;
  return {
    h,
    area: -Math.expm1(-speed * h) / speed,
    scale: speed * alpha,
    latents: Math.exp(-(tau ** 2) * h) * (std / toLevel(from).std),
    noise: std * Math.sqrt(-Math.expm1(-2 * tau ** 2 * h)),
  };
}

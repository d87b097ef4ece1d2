import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import { combine } from '../kernels.ts';
import { integrateOde } from './exponential-integrator.ts';
import { EXPONENTIAL_SCHEDULES, exponentialLevels, exponentialStepsMax } from './exponential-levels.ts';
import { estimateInto } from './multistep.ts';
import type { Estimate } from './prediction.ts';
import { denoiseVariancePreserving, toLevel } from './prediction.ts';
import type { Evaluation, PlanRequest, Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import { variancePreserving } from './variance-preserving.ts';

const { fround } = Math;

interface SinglestepEvaluation extends Evaluation {
  readonly estimate: Estimate;
  /** A first-order step from here: weights of latents and estimate. */
  readonly single: readonly [latents: number, estimate: number];
  /** The second half of a pair: weights of latents and estimate at the pair's start, and of the estimate here. */
  readonly pair: readonly [start: number, before: number, estimate: number] | null;
}

/** The latents and the denoised estimate at the start of the pair of steps under way, and whether one is. */
type SinglestepState = {
  readonly isInPair: 0 | 1;
  readonly start: Float32Array;
  readonly startEstimate: Float32Array;
  /** Room for the estimate of the pair's second step. */
  readonly estimate: Float32Array;
};

/**
 * DPM-Solver++ (2S), midpoint form (Lu et al. 2022, "DPM-Solver++", Algorithm 1; `DPMSolverSinglestepScheduler` in
 * diffusers). Steps come in pairs: a first-order step, then one from the pair's start over both, with the denoised
 * estimate in between. One U-Net evaluation per step; the last step, and in an even run the one before it, is of
 * first order. A run that starts inside a pair begins with a first-order step.
 *
 * It has one timestep spacing, `linspace`, whatever the model's record says, as in diffusers.
 */
export const dpmSolverSinglestep: Scheduler<SinglestepState, SinglestepEvaluation> = {
  ...variancePreserving,
  sigmaSchedules: [...EXPONENTIAL_SCHEDULES, 'AYS'],
  predictionTypes: PREDICTION_TYPES,
  evaluationsPerStep: 1,
  stepsMax: (request) => exponentialStepsMax(withLinspace(request)),

  plan(steps, request) {
    const { predictionType } = request.config;
    const levels = exponentialLevels(steps, withLinspace(request));
    const sigmas = [...levels.sigmas.map(fround), 0];
    return {
      predictionType,
      evaluations: levels.timesteps.map((timestep, i) => ({
        timestep,
        sigma: at(sigmas, i),
        draws: 0,
        estimate: denoiseVariancePreserving(predictionType, toLevel(at(sigmas, i))),
        single: singleWeights(at(sigmas, i), at(sigmas, i + 1)),
        pair: isSecondOfPair(i, steps) ? pairWeights(sigmas, i) : null,
      })),
      finalSigma: 0,
      initSigma: 1,
    };
  },

  start: (_, size) => ({
    isInPair: 0,
    start: new Float32Array(size),
    startEstimate: new Float32Array(size),
    estimate: new Float32Array(size),
  }),

  step({ evaluations }, i, state, input, out) {
    const { estimate, single, pair } = at(evaluations, i);
    const { isInPair, start, startEstimate } = state;
    if (pair && isInPair === 1) {
      estimateInto(estimate, input, state.estimate);
      combine(
        [
          [pair[0], start],
          [pair[1], startEstimate],
          [pair[2], state.estimate],
        ],
        out,
      );
      return { ...state, isInPair: 0 };
    }
    start.set(input.latents);
    estimateInto(estimate, input, startEstimate);
    combine(
      [
        [single[0], start],
        [single[1], startEstimate],
      ],
      out,
    );
    return { ...state, isInPair: 1 };
  },
};

function withLinspace(request: PlanRequest): PlanRequest {
  return { ...request, config: { ...request.config, timestepSpacing: 'linspace' } };
}

/** Every odd step, except that the last two of an even run are of first order. */
function isSecondOfPair(i: number, steps: number): boolean {
  return i % 2 === 1 && i < steps - 1;
}

function singleWeights(from: number, to: number): readonly [number, number] {
  const { latents, constant } = integrateOde(from, to);
  return [latents, constant];
}

function pairWeights(sigmas: readonly number[], i: number): readonly [number, number, number] {
  const [start, middle, end] = [at(sigmas, i - 1), at(sigmas, i), at(sigmas, i + 1)];
  const { h, latents, constant } = integrateOde(start, end);
  const slope = (0.5 * constant * h) / Math.log(start / middle);
  return [latents, constant - slope, slope];
}

import { PREDICTION_TYPES } from '../../kernel/manifest.ts';
import type { MultistepWeights } from '../kernels.ts';
import { multistep } from '../kernels.ts';
import type { SchedulerConfig } from './config.ts';
import { denoiseVariancePreserving, toAlphaStd } from './prediction.ts';
import type { SchedulePlan, Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import {
  karrasSigmas,
  leadingTimesteps,
  linspace,
  logTable,
  roundHalfEven,
  sigmaAt,
  timestepOfSigma,
  trailingTimesteps,
  trainingSigmas,
} from './sigmas.ts';
import { variancePreserving } from './variance-preserving.ts';

const { fround } = Math;

/** The denoised estimate of the evaluation before, and how many there have been. */
export type MultistepState = {
  readonly previous: Float32Array;
  readonly evaluated: number;
};

/**
 * DPM-Solver++ (2M), midpoint form (Lu et al. 2022, "DPM-Solver++", Algorithm 2;
 * `DPMSolverMultistepScheduler` in diffusers with its defaults). One U-Net evaluation per step;
 * the second-order term comes from the denoised estimate of the evaluation before.
 *
 * The first step has no estimate to lean on and the last one goes to sigma 0, where the
 * second-order weights are undefined: both are first-order, whatever the number of steps.
 */
export const dpmSolverMultistep: Scheduler<MultistepState> = {
  ...variancePreserving,
  sigmaSchedules: ['DEFAULT', 'KARRAS'],
  predictionTypes: PREDICTION_TYPES,
  stepsMax({ config, sigmaSchedule }) {
    const { trainTimesteps, timestepSpacing, stepsOffset } = config;
    if (sigmaSchedule === 'KARRAS' || timestepSpacing === 'trailing') return trainTimesteps;
    // The others divide by one more than the steps: past this two timesteps fall on one noise level, and the
    // second-order term divides by the distance between them.
    return trainTimesteps - 1 - (timestepSpacing === 'leading' ? stepsOffset : 0);
  },

  plan(steps, { config, sigmaSchedule }) {
    const table = trainingSigmas(config);
    const { timesteps, sigmas } =
      sigmaSchedule === 'KARRAS' ? karras(steps, table) : spaced(steps, table, config);
    return {
      predictionType: config.predictionType,
      evaluations: steps,
      timesteps,
      sigmas: [...sigmas.map(fround), 0],
      initSigma: 1,
      noiseDraws: new Array<number>(steps).fill(0),
    };
  },

  start: (_, size) => ({ previous: new Float32Array(size), evaluated: 0 }),

  step(plan, i, { previous, evaluated }, { latents, output }, out) {
    const isFirstOrder = evaluated === 0 || i === plan.evaluations - 1;
    multistep(stepWeights(plan, i, isFirstOrder), { latents, output, previous }, out);
    return { previous, evaluated: evaluated + 1 };
  },
};

interface Levels {
  readonly timesteps: readonly number[];
  readonly sigmas: readonly number[];
}

/** Spans the whole training range, whatever the spacing; the U-Net is told the nearest whole timestep. */
function karras(steps: number, table: readonly number[]): Levels {
  const logs = logTable(table);
  const sigmas = karrasSigmas(steps, { max: at(table, table.length - 1), min: at(table, 0) });
  return { sigmas, timesteps: sigmas.map((sigma) => roundHalfEven(timestepOfSigma(sigma, logs))) };
}

function spaced(steps: number, table: readonly number[], config: SchedulerConfig): Levels {
  const timesteps = spacedTimesteps(steps, config);
  return { timesteps, sigmas: timesteps.map((timestep) => sigmaAt(table, timestep)) };
}

function spacedTimesteps(steps: number, config: SchedulerConfig): readonly number[] {
  switch (config.timestepSpacing ?? 'linspace') {
    case 'linspace':
      return linspace(0, config.trainTimesteps - 1, steps + 1)
        .slice(1)
        .map(roundHalfEven)
        .toReversed();
    case 'leading':
      return leadingTimesteps(steps, steps + 1, config);
    case 'trailing':
      return trailingTimesteps(steps, config.trainTimesteps);
  }
}

function stepWeights(plan: SchedulePlan, i: number, isFirstOrder: boolean): MultistepWeights {
  const sigma = at(plan.sigmas, i);
  const next = at(plan.sigmas, i + 1);
  const from = toAlphaStd(sigma);
  const to = toAlphaStd(next);
  // With lambda = -ln sigma and h = lambda(next) - lambda, exp(-h) is the ratio of the two sigmas.
  const whole = to.alpha * (1 - next / sigma);
  const correction = isFirstOrder
    ? 0
    : (0.5 * whole * Math.log(sigma / next)) / Math.log(at(plan.sigmas, i - 1) / sigma);
  return {
    ...denoiseVariancePreserving(plan.predictionType, sigma),
    latents: to.std / from.std,
    denoised: whole + correction,
    previous: -correction,
  };
}

import type { SigmaSchedule } from '../names.ts';
import type { SchedulerConfig, TimestepSpacing } from './config.ts';
import { CURVES, curveSigmas, isCurve } from './curves.ts';
import type { PlanRequest, Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import type { Levels } from './sigma-space.ts';
import { logTable, sigmaAt, timestepOfSigma, trainingSigmas } from './sigmas.ts';
import { roundHalfEven, wholeTimesteps } from './timesteps.ts';

const { fround } = Math;

/** What the exponential integrators can follow. */
export const EXPONENTIAL_SCHEDULES = ['DEFAULT', ...CURVES] as const satisfies readonly SigmaSchedule[];

/** Step counts of the exponential integrators: see `exponentialLevels`. */
export const exponentialStepsMax: Scheduler['stepsMax'] = ({ config, sigmaSchedule }) => {
  const { trainTimesteps, stepsOffset } = config;
  const spacing = spacingOf(config);
  if (isCurve(sigmaSchedule) || spacing === 'trailing') return trainTimesteps;
  // The others divide by one more than the steps: past this two timesteps fall on one noise level, and the
  // second-order term divides by the distance between them.
  return trainTimesteps - 1 - (spacing === 'leading' ? stepsOffset : 0);
};

/**
 * The levels of the exponential integrators (DPM-Solver and its kin), which are all at whole timesteps.
 * A curve spans the whole training range, whatever the spacing. The U-Net is told the nearest timestep of a
 * Karras level and the one below any other curve's, as in diffusers: the first of those is 998, not 999.
 */
export function exponentialLevels(steps: number, { config, sigmaSchedule, options }: PlanRequest): Levels {
  const table = trainingSigmas(config);
  if (isCurve(sigmaSchedule)) {
    const logs = logTable(table);
    const sigmas = curveSigmas(sigmaSchedule, steps, { max: at(table, table.length - 1), min: at(table, 0) });
    const toWhole = sigmaSchedule === 'KARRAS' ? roundHalfEven : Math.trunc;
    return { sigmas, timesteps: sigmas.map((sigma) => toWhole(timestepOfSigma(sigma, logs))) };
  }
  const timesteps =
    options?.timesteps ?? wholeTimesteps(steps, config, { spacing: spacingOf(config), divisions: steps + 1 });
  return { timesteps, sigmas: timesteps.map((timestep) => sigmaAt(table, timestep)) };
}

/**
 * The float32 sigmas of `levels` and the level after the last of them, for the two schedulers that stop where
 * training begins: at its lowest level, or at a curve's last level a second time, so that the last step of a
 * curve goes nowhere.
 */
export function withTrainedEnd(levels: Levels, { config, sigmaSchedule }: PlanRequest): readonly number[] {
  const sigmas = levels.sigmas.map(fround);
  const end = isCurve(sigmaSchedule) ? at(sigmas, sigmas.length - 1) : at(trainingSigmas(config), 0);
  return [...sigmas, end];
}

function spacingOf(config: SchedulerConfig): TimestepSpacing {
  return config.timestepSpacing ?? 'linspace';
}

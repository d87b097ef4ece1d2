import type { SchedulerConfig, TimestepSpacing } from './config.ts';
import { curveSigmas, isCurve } from './curves.ts';
import type { PlanRequest, Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import type { Levels } from './sigma-space.ts';
import { logTable, sigmaAt, timestepOfSigma, trainingSigmas } from './sigmas.ts';
import { roundHalfEven, wholeTimesteps } from './timesteps.ts';

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
 * A curve spans the whole training range, whatever the spacing; the U-Net is told the nearest timestep.
 */
export function exponentialLevels(steps: number, { config, sigmaSchedule }: PlanRequest): Levels {
  const table = trainingSigmas(config);
  if (isCurve(sigmaSchedule)) {
    const logs = logTable(table);
    const sigmas = curveSigmas(sigmaSchedule, steps, { max: at(table, table.length - 1), min: at(table, 0) });
    return { sigmas, timesteps: sigmas.map((sigma) => roundHalfEven(timestepOfSigma(sigma, logs))) };
  }
  const timesteps = wholeTimesteps(steps, config, { spacing: spacingOf(config), divisions: steps + 1 });
  return { timesteps, sigmas: timesteps.map((timestep) => sigmaAt(table, timestep)) };
}

function spacingOf(config: SchedulerConfig): TimestepSpacing {
  return config.timestepSpacing ?? 'linspace';
}

import { scale, weightedSum } from '../kernels.ts';
import type { SigmaSchedule } from '../names.ts';
import type { SchedulerConfig, TimestepSpacing } from './config.ts';
import { CURVES, curveSigmas, isCurve } from './curves.ts';
import type { PlanRequest, Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import { logTable, sigmaAt, timestepOfSigma, trainingSigmas } from './sigmas.ts';
import { leadingTimesteps, linspace, trailingTimesteps } from './timesteps.ts';

const { fround } = Math;

/** Curves that every scheduler of sigma space with a table of noise levels can follow. */
export const SIGMA_SPACE_SCHEDULES = ['DEFAULT', ...CURVES] as const satisfies readonly SigmaSchedule[];

/**
 * What the schedulers of sigma space share: latents are the picture plus sigma times noise, of variance
 * 1 + sigma^2, and are divided by its root for the model (Karras et al. 2022, section 5, c_in).
 */
export const sigmaSpace: Pick<Scheduler, 'stepsMax' | 'scaleInput' | 'addNoise'> = {
  stepsMax: ({ config }) =>
    spacingOf(config) === 'leading' ? config.trainTimesteps - config.stepsOffset : config.trainTimesteps,

  scaleInput({ evaluations }, i, latents, out) {
    scale(1 / Math.sqrt(at(evaluations, i).sigma ** 2 + 1), latents, out);
  },

  addNoise({ evaluations }, i, clean, noise, out) {
    weightedSum({ a: 1, b: at(evaluations, i).sigma }, { x: clean, y: noise }, out);
  },
};

/** Where the whole steps of a run begin: one timestep and one noise level each, before float32. */
export interface Levels {
  readonly timesteps: readonly number[];
  readonly sigmas: readonly number[];
}

/** The levels of `steps` steps. A curve spans the spaced sigmas, so that it keeps the spacing's two ends. */
export function sigmaSpaceLevels(steps: number, { config, sigmaSchedule, options }: PlanRequest): Levels {
  const table = trainingSigmas(config);
  const timesteps = options?.timesteps ?? spacedTimesteps(steps, config);
  const sigmas = timesteps.map((timestep) => sigmaAt(table, timestep));
  if (!isCurve(sigmaSchedule)) return { timesteps, sigmas };
  const curve = curveSigmas(sigmaSchedule, steps, { max: at(sigmas, 0), min: at(sigmas, steps - 1) });
  const logs = logTable(table);
  return { sigmas: curve, timesteps: curve.map((sigma) => timestepOfSigma(sigma, logs)) };
}

/** Timesteps from the noisiest down, with fractions under `linspace`. */
function spacedTimesteps(steps: number, config: SchedulerConfig): readonly number[] {
  switch (spacingOf(config)) {
    case 'linspace':
      // numpy is asked for float32 here, and the interpolation then starts from the rounded value.
      return linspace(0, config.trainTimesteps - 1, steps)
        .map(fround)
        .toReversed();
    case 'leading':
      return leadingTimesteps(steps, steps, config);
    case 'trailing':
      return trailingTimesteps(steps, config.trainTimesteps);
  }
}

/** Under `leading` the first level is short of the largest, and the start keeps the data's own variance. */
export function initialSigma(sigmas: readonly number[], config: SchedulerConfig): number {
  const max = fround(at(sigmas, 0));
  return spacingOf(config) === 'leading' ? fround(Math.sqrt(max ** 2 + 1)) : max;
}

function spacingOf(config: SchedulerConfig): TimestepSpacing {
  return config.timestepSpacing ?? 'linspace';
}

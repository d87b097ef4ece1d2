import { scale, weightedSum } from '../kernels.ts';
import type { SchedulerConfig } from './config.ts';
import type { Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import { leadingTimesteps, linspace, trailingTimesteps } from './sigmas.ts';

const { fround } = Math;

/**
 * What the schedulers of sigma space share: latents are the picture plus sigma times noise, of variance
 * 1 + sigma^2, and are divided by its root for the model (Karras et al. 2022, section 5, c_in).
 */
export const sigmaSpace: Pick<Scheduler, 'stepsMax' | 'scaleInput' | 'addNoise'> = {
  stepsMax: ({ config }) =>
    spacing(config) === 'leading' ? config.trainTimesteps - config.stepsOffset : config.trainTimesteps,

  scaleInput(plan, i, latents, out) {
    scale(1 / Math.sqrt(at(plan.sigmas, i) ** 2 + 1), latents, out);
  },

  addNoise(plan, i, clean, noise, out) {
    weightedSum({ a: 1, b: at(plan.sigmas, i) }, { x: clean, y: noise }, out);
  },
};

/** Timesteps from the noisiest down, with fractions under `linspace`. */
export function spacedTimesteps(steps: number, config: SchedulerConfig): readonly number[] {
  switch (spacing(config)) {
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
export function initialSigma(max: number, config: SchedulerConfig): number {
  return spacing(config) === 'leading' ? fround(Math.sqrt(max ** 2 + 1)) : max;
}

function spacing(config: SchedulerConfig): NonNullable<SchedulerConfig['timestepSpacing']> {
  return config.timestepSpacing ?? 'linspace';
}

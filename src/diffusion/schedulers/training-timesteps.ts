import type { SchedulerConfig, TimestepSpacing } from './config.ts';
import type { Scheduler } from './scheduler.ts';
import { wholeTimesteps } from './timesteps.ts';
import { variancePreserving } from './variance-preserving.ts';

/** What the schedulers that go from training timestep to training timestep share: DDIM, DDPM, PNDM. */
export const betweenTrainingTimesteps: Pick<Scheduler, 'stepsMax' | 'scaleInput' | 'addNoise'> = {
  ...variancePreserving,
  stepsMax: ({ config }) =>
    spacingOf(config) === 'leading' ? config.trainTimesteps - config.stepsOffset : config.trainTimesteps,
};

/** `steps` whole timesteps from the noisiest down. */
export function spacedTimesteps(steps: number, config: SchedulerConfig): readonly number[] {
  return wholeTimesteps(steps, config, { spacing: spacingOf(config), divisions: steps });
}

function spacingOf(config: SchedulerConfig): TimestepSpacing {
  return config.timestepSpacing ?? 'leading';
}

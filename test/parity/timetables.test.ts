import { describe, expect, it } from 'vitest';
import { planSchedule } from '../../src/diffusion/plan-schedule.ts';
import type { SamplerOptions, SigmaSchedule } from '../../src/diffusion/index.ts';
import { readCases, readSchedulerConfig } from './recorded.ts';
import type { Timetable } from './replay.ts';
import { tableErrors } from './replay.ts';

interface Recorded extends Timetable {
  readonly sigmaSchedule: SigmaSchedule;
  readonly steps: number;
  readonly options: SamplerOptions;
  readonly initSigma: number;
}

const recorded = readCases<Recorded>('timetables.json');

function planOf({ scheduler, sigmaSchedule, steps, options }: Recorded) {
  return planSchedule(scheduler, steps, { config: readSchedulerConfig(), sigmaSchedule, options });
}

describe('timetables', () => {
  it.each(recorded)('are those of diffusers: $scheduler $sigmaSchedule $options, $steps steps', (each) => {
    const plan = planOf(each);
    const ours = <T>(entries: readonly T[]) => entries.slice(0, plan.evaluations.length);
    const expected = { ...each, timesteps: ours(each.timesteps), sigmas: ours(each.sigmas) };
    const errors = tableErrors(plan, expected);
    expect(errors.timesteps).toBeLessThanOrEqual(errors.timestepTolerance);
    expect(errors.sigmas).toBeLessThanOrEqual(errors.sigmaTolerance);
    expect(plan.initSigma / each.initSigma).toBeCloseTo(1, 6);
  });

  it('leave out what diffusers asks at timestep -1 for some counts under trailing, and nothing else', () => {
    const extra = recorded.filter((each) => each.timesteps.length !== planOf(each).evaluations.length);
    expect(extra.every(({ steps, options }) => steps === 61 && options.timestepSpacing === 'trailing')).toBe(
      true,
    );
    expect(extra.every(({ timesteps }) => timesteps.at(-1) === -1)).toBe(true);
    expect(new Set(extra.map(({ scheduler }) => scheduler)).size).toBe(14);
  });
});

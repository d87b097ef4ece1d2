import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readManifest, readSchedulerConfig } from '../../test/parity/recorded.ts';
import type { SchedulerName } from './names.ts';
import { SCHEDULER_NAMES } from './names.ts';
import { compilePlan } from './plan.ts';
import { planSchedule, unreadKnobs } from './plan-schedule.ts';
import { stepRange } from './validation/step-range.ts';
import { resolveSettings } from './settings.ts';

const manifest = readManifest();
const config = readSchedulerConfig();

const SECOND_ORDER: ReadonlySet<SchedulerName> = new Set([
  'HEUN_DISCRETE',
  'DPM_SOLVER_SDE',
  'KDPM2_DISCRETE',
  'KDPM2_ANCESTRAL_DISCRETE',
]);

function expected(name: SchedulerName, steps: number): number {
  if (name === 'PNDM') return steps + 1;
  return SECOND_ORDER.has(name) ? 2 * steps - 1 : steps;
}

const names = fc.constantFrom(...SCHEDULER_NAMES);

describe('a schedule', () => {
  it('has N, N + 1 or 2N - 1 evaluations, and as many of the steps that a strength leaves', () => {
    const strengths = fc.double({ min: 0.1, max: 1, noNaN: true });
    fc.assert(
      fc.property(names, fc.integer({ min: 2, max: 50 }), strengths, (name, steps, strength) => {
        const left = Math.trunc(steps * strength);
        fc.pre(left >= 1);
        const request = { config, sigmaSchedule: 'DEFAULT', strength } as const;
        expect(planSchedule(name, steps, request).evaluations).toHaveLength(expected(name, left));
      }),
    );
  });

  it('is one list for calls, price and progress', () => {
    fc.assert(
      fc.property(names, fc.integer({ min: 2, max: 50 }), (scheduler, steps) => {
        const settings = resolveSettings(manifest, { prompt: 'a red apple', seed: 2n, scheduler, steps });
        const plan = compilePlan({ manifest, schedulerConfig: config, settings, promptChunks: 1 });
        const count = expected(scheduler, steps);
        expect(plan.schedule.evaluations).toHaveLength(count);
        expect(plan.calls.filter(({ part }) => part === 'unet_cfg')).toHaveLength(count);
        expect([plan.totalSteps, plan.costPerPicture]).toEqual([count, count]);
      }),
    );
  });

  it('aligned with the model has falling timesteps for every count that it offers', () => {
    const request = { config, sigmaSchedule: 'AYS' } as const;
    const { min, max } = stepRange('EULER_DISCRETE', request);
    for (let steps = min; steps <= max; steps += 1) {
      const { evaluations } = planSchedule('EULER_DISCRETE', steps, request);
      expect(evaluations).toHaveLength(steps);
      expect(evaluations.every(({ timestep }, i) => timestep < (evaluations[i - 1]?.timestep ?? 1000))).toBe(
        true,
      );
    }
  });

  it('refuses an option that its scheduler does not read', () => {
    const request = { config, sigmaSchedule: 'DEFAULT', options: { eta: 0.5, sNoise: 1 } } as const;
    expect(unreadKnobs('DDIM', request)).toEqual(['sNoise']);
    expect(unreadKnobs('HEUN_DISCRETE', request)).toEqual(['eta', 'sNoise']);
    expect(() => planSchedule('HEUN_DISCRETE', 4, request)).toThrow('HEUN_DISCRETE has no eta, sNoise.');
    const zero = { config: { ...config, zeroTerminalSnr: true }, sigmaSchedule: 'DEFAULT' } as const;
    expect(SCHEDULER_NAMES.filter((name) => unreadKnobs(name, zero).length === 0)).toHaveLength(8);
  });

  it('refuses a strength that leaves no step', () => {
    const request = { config, sigmaSchedule: 'DEFAULT', strength: 0.2 } as const;
    expect(() => planSchedule('DDIM', 4, request)).toThrow(RangeError);
  });
});

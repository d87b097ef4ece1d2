import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readManifest, readSchedulerConfig } from '../../test/parity/recorded.ts';
import { parseA1111Name } from './a1111-names.ts';
import { describeScheduler, evaluationsOf } from './describe-scheduler.ts';
import { SCHEDULER_NAMES } from './names.ts';
import { planSchedule } from './plan-schedule.ts';
import { READERS, SAMPLER_OPTIONS } from './sampler-options.ts';
import { resolveSettings } from './settings.ts';
import { validate } from './validation/validate.ts';

const config = readSchedulerConfig();
const names = fc.constantFrom(...SCHEDULER_NAMES);

describe('what is told of a scheduler', () => {
  it('is a sentence on what it suits, and a whole class name of diffusers, each its own', () => {
    const all = SCHEDULER_NAMES.map(describeScheduler);
    expect(new Set(all.map(({ diffusersClass }) => diffusersClass)).size).toBe(SCHEDULER_NAMES.length);
    for (const { diffusersClass, suits, steps } of all) {
      expect(diffusersClass).toMatch(/^[A-Z][A-Za-z0-9]+Scheduler$/);
      expect(suits).toMatch(/^Suits [^.]+\.$/);
      expect(steps.min).toBeLessThan(steps.max);
    }
  });

  it('names the options that it reads and no others, with what they are when left out', () => {
    expect(describeScheduler('DPM_SOLVER_MULTISTEP').options).toEqual([
      {
        name: 'timestepSpacing',
        isList: false,
        values: ['linspace', 'leading', 'trailing'],
        default: null,
      },
      { name: 'timesteps', isList: true, min: 0, default: null },
      { name: 'solverOrder', isList: false, values: [1, 2, 3], default: 2 },
      {
        name: 'algorithm',
        isList: false,
        values: ['dpmsolver++', 'sde-dpmsolver++'],
        default: 'dpmsolver++',
      },
    ]);
    expect(describeScheduler('EULER_DISCRETE').options).toContainEqual({
      name: 'sigmas',
      isList: true,
      min: 0,
      max: 4096,
      default: null,
    });
    for (const name of SCHEDULER_NAMES) {
      const told = describeScheduler(name).options.map((option) => option.name);
      expect(told).toEqual(SAMPLER_OPTIONS.filter((option) => READERS[option].includes(name)));
    }
  });

  it('leaves the run as it is where an option has the value that it is told to have when left out', () => {
    for (const name of SCHEDULER_NAMES) {
      const request = { config, sigmaSchedule: 'DEFAULT' } as const;
      const told = describeScheduler(name).options.flatMap((option) =>
        option.default === null ? [] : [[option.name, option.default] as const],
      );
      const options = Object.fromEntries(told);
      expect(planSchedule(name, 6, { ...request, options })).toEqual(planSchedule(name, 6, request));
    }
  });

  it('says whether it draws noise in its steps, and whether a model must be distilled for it', () => {
    const told = SCHEDULER_NAMES.map(describeScheduler);
    expect(told.filter(({ isStochastic }) => isStochastic).map(({ name }) => name)).toEqual([
      'DDPM',
      'EULER_ANCESTRAL_DISCRETE',
      'DPM_SOLVER_SDE',
      'KDPM2_ANCESTRAL_DISCRETE',
      'LCM',
      'SA_SOLVER',
    ]);
    expect(told.filter(({ needsDistilled }) => needsDistilled).map(({ name }) => name)).toEqual([
      'LCM',
      'TCD',
    ]);
  });

  it('lists names of AUTOMATIC1111 that are read as this scheduler and that it can follow', () => {
    const manifest = { ...readManifest(), distilledFor: ['LCM'] } as const;
    for (const name of SCHEDULER_NAMES) {
      for (const alias of describeScheduler(name).aliases) {
        const { sigmaSchedule, options } = alias;
        expect(parseA1111Name(alias.name)).toEqual({ scheduler: name, sigmaSchedule, options });
        const settings = resolveSettings(manifest, { prompt: 'a', seed: 0n, scheduler: name, sigmaSchedule });
        const findings = validate(manifest, config, settings, options);
        expect(findings.filter(({ severity }) => severity === 'ERROR')).toEqual([]);
      }
    }
    const multistep = describeScheduler('DPM_SOLVER_MULTISTEP').aliases.map((alias) => alias.name);
    expect(multistep).toContain('DPM++ 2M SDE Karras');
    expect(describeScheduler('DDIM').aliases.map((alias) => alias.name)).toEqual([
      'DDIM',
      'DDIM SGM Uniform',
      'DDIM Simple',
    ]);
  });

  it('says in sentences what is refused with it', () => {
    expect(describeScheduler('TCD').refuses).toEqual([
      'Models that were not distilled for it.',
      'The sigma schedules KARRAS, EXPONENTIAL and BETA.',
      'With DEFAULT, more than 50 steps.',
      'With AYS, more than 50 steps.',
    ]);
    expect(describeScheduler('SA_SOLVER').refuses).toContain(
      'With BETA, fewer than 20 steps, which end in noise.',
    );
    expect(describeScheduler('KDPM2_DISCRETE').refuses).toContain('Models that predict sample.');
  });
});

describe('the evaluations of a number of steps', () => {
  it('are as many as the plan has, whatever the sigma schedule', () => {
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 50 }), fc.nat(), (name, steps, which) => {
        const { sigmaSchedules } = describeScheduler(name);
        const sigmaSchedule = sigmaSchedules[which % sigmaSchedules.length] ?? 'DEFAULT';
        const { evaluations } = planSchedule(name, steps, { config, sigmaSchedule });
        expect(evaluationsOf(name, steps)).toBe(evaluations.length);
      }),
    );
    expect(evaluationsOf('HEUN_DISCRETE', 1000)).toBe(1999);
  });

  it('are not told of what is no number of steps', () => {
    for (const steps of [0, -1, 2.5, Number.NaN, Infinity]) {
      expect(() => evaluationsOf('DDIM', steps)).toThrow(RangeError);
    }
  });
});

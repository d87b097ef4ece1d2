import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readManifest, readSchedulerConfig } from '../../../test/parity/recorded.ts';
import type { Manifest } from '../../kernel/manifest.ts';
import { SCHEDULER_NAMES, SIGMA_SCHEDULES } from '../names.ts';
import { torchNormal } from '../noise/torch-normal.ts';
import { planSchedule } from '../plan-schedule.ts';
import type { SamplerOptions } from '../sampler-options.ts';
import { schedulerOf } from '../schedulers/registry.ts';
import type { Settings } from '../settings.ts';
import { resolveSettings } from '../settings.ts';
import type { FindingCode, JudgedSettings } from './finding.ts';
import { SCHEDULER_RULES } from './scheduler-rules.ts';
import { validate } from './validate.ts';

const pico = readManifest();
const config = readSchedulerConfig();
const sd15: Manifest = { ...pico, name: 'sd', family: 'SD15', nativeSize: 512, sizeMultiple: 8 };
const lcm: Manifest = { ...sd15, name: 'fast', family: 'LCM' };

function codesFor(manifest: Manifest, changes: Partial<JudgedSettings>, options: SamplerOptions = {}) {
  const settings = { ...resolveSettings(manifest, { prompt: 'an apple', seed: 0n }), ...changes };
  return validate(manifest, config, settings, options).map(({ code, severity }) => `${severity} ${code}`);
}

describe('what was looked at and showed noise', () => {
  it.each<[string, Partial<JudgedSettings>, SamplerOptions, string[]]>([
    ['guidance that leaves shapes whole', { guidanceScale: 12 }, {}, []],
    ['guidance that tears them', { guidanceScale: 20 }, {}, ['WARNING GUIDANCE_UNUSUAL']],
    ['guidance that leaves blotches', { guidanceScale: 30 }, {}, ['ERROR GUIDANCE_OUT_OF_RANGE']],
    ['a little churn', { scheduler: 'EULER_DISCRETE' }, { sChurn: 10 }, []],
    [
      'all the churn there is, twice as strong',
      { scheduler: 'EULER_DISCRETE' },
      { sChurn: 1000, sNoise: 2 },
      ['ERROR ENDS_IN_NOISE'],
    ],
    [
      'noise twice as strong as the step takes off',
      { scheduler: 'DPM_SOLVER_SDE', steps: 10 },
      { sNoise: 2 },
      ['ERROR ENDS_IN_NOISE'],
    ],
  ])('is refused on pico, and what showed a picture is not: %s', (_, changes, options, codes) => {
    const sampler = changes.scheduler ? { sigmaSchedule: 'DEFAULT' as const } : {};
    expect(codesFor(pico, { ...sampler, ...changes }, options)).toEqual(codes);
  });
});

describe('a warning', () => {
  it.each<[string, Manifest, Partial<JudgedSettings>, FindingCode]>([
    ['half the native size', sd15, { width: 256, height: 256 }, 'SIZE_UNUSUAL'],
    ['twice the native size', sd15, { width: 1024, height: 1024 }, 'SIZE_UNUSUAL'],
    ['a narrow strip', sd15, { width: 1024, height: 256 }, 'SIZE_UNUSUAL'],
    ['guidance that burns', sd15, { guidanceScale: 30 }, 'GUIDANCE_UNUSUAL'],
    ['few steps', sd15, { scheduler: 'EULER_DISCRETE', sigmaSchedule: 'DEFAULT', steps: 4 }, 'STEPS_UNUSUAL'],
    ['many steps', sd15, { steps: 200 }, 'STEPS_UNUSUAL'],
    [
      'LMS with BETA and few steps',
      sd15,
      { scheduler: 'LMS_DISCRETE', sigmaSchedule: 'BETA', steps: 5 },
      'STEPS_UNUSUAL',
    ],
    [
      'LMS with BETA on part of a run',
      sd15,
      { scheduler: 'LMS_DISCRETE', sigmaSchedule: 'BETA', steps: 8, strength: 0.6 },
      'CONTRAST_OFF',
    ],
    [
      'SASolver with BETA and 25 steps',
      sd15,
      { scheduler: 'SA_SOLVER', sigmaSchedule: 'BETA', steps: 25 },
      'STEPS_UNUSUAL',
    ],
    [
      'DEIS with a curve',
      sd15,
      { scheduler: 'DEIS_MULTISTEP', sigmaSchedule: 'KARRAS', steps: 20 },
      'EVALUATION_WASTED',
    ],
    [
      'guidance on a distilled model',
      lcm,
      { scheduler: 'LCM', sigmaSchedule: 'DEFAULT', steps: 4, guidanceScale: 7 },
      'GUIDANCE_UNUSUAL',
    ],
    [
      'more than eight steps of LCM',
      lcm,
      { scheduler: 'LCM', sigmaSchedule: 'DEFAULT', steps: 9, guidanceScale: 1 },
      'STEPS_UNUSUAL',
    ],
    ['a distilled model with another scheduler', lcm, { steps: 8, guidanceScale: 1 }, 'DISTILLATION_UNUSED'],
  ])('is given for %s', (_, manifest, changes, code) => {
    expect(codesFor(manifest, changes)).toEqual([`WARNING ${code}`]);
  });

  it('is not given for the sizes and settings that the bundle is drawn with', () => {
    const sizes = [
      [128, 128],
      [160, 96],
      [192, 160],
      [256, 128],
    ] as const;
    for (const [width, height] of sizes) expect(codesFor(pico, { width, height, steps: 4 })).toEqual([]);
  });

  it('of a wasted evaluation is given exactly where the last answer changes nothing', () => {
    for (const scheduler of SCHEDULER_NAMES) {
      for (const sigmaSchedule of schedulerOf(scheduler).sigmaSchedules) {
        const steps = 40;
        const { distillation } = SCHEDULER_RULES[scheduler];
        const manifest: Manifest = distillation === null ? pico : { ...pico, distilledFor: [distillation] };
        const isTold = codesFor(manifest, { scheduler, sigmaSchedule, steps }).includes(
          'WARNING EVALUATION_WASTED',
        );
        expect([scheduler, sigmaSchedule, isTold]).toEqual([
          scheduler,
          sigmaSchedule,
          !dependsOnLast({ scheduler, sigmaSchedule, steps }),
        ]);
      }
    }
  });
});

type Sampler = Pick<Settings, 'scheduler' | 'sigmaSchedule' | 'steps'>;

/** Whether another last answer gives other latents. */
function dependsOnLast({ scheduler: name, sigmaSchedule, steps }: Sampler): boolean {
  const plan = planSchedule(name, steps, { config, sigmaSchedule });
  const run = (last: bigint) => {
    const latents = torchNormal(1n, 32);
    let state = schedulerOf(name).start(plan, latents.length);
    for (const [i, { draws }] of plan.evaluations.entries()) {
      const output = torchNormal(i === plan.evaluations.length - 1 ? last : BigInt(i), latents.length);
      const noise = Array.from({ length: draws }, () => torchNormal(77n, latents.length));
      state = schedulerOf(name).step(plan, i, state, { latents, output, noise }, latents);
    }
    return latents;
  };
  return run(5n).join() !== run(6n).join();
}

describe('a refusal', () => {
  it.each<[string, Manifest, Partial<JudgedSettings>, readonly FindingCode[]]>([
    ['LCM on a model that is not distilled', sd15, { scheduler: 'LCM', steps: 4 }, ['DISTILLATION_MISSING']],
    ['TCD on a model distilled for LCM', lcm, { scheduler: 'TCD', steps: 4 }, ['DISTILLATION_MISSING']],
    [
      'more steps of LCM than a strength leaves',
      lcm,
      { scheduler: 'LCM', steps: 6, strength: 0.1 },
      ['STEPS_OUT_OF_RANGE'],
    ],
    ['a strength that leaves no step', sd15, { steps: 4, strength: 0.2 }, ['STEPS_OUT_OF_RANGE']],
    ['a strength of 0', sd15, { strength: 0 }, ['OPTION_INVALID']],
    ['a side below half the native one', sd15, { width: 248 }, ['SIZE_TOO_SMALL']],
    [
      'a single step that starts at the wrong end',
      sd15,
      { scheduler: 'EULER_DISCRETE', steps: 1 },
      ['STEPS_OUT_OF_RANGE'],
    ],
  ])('is given for %s, with what would do', (_, manifest, changes, codes) => {
    const settings = { ...resolveSettings(manifest, { prompt: 'an apple', seed: 0n }), ...changes };
    const errors = validate(manifest, config, { ...settings, sigmaSchedule: 'DEFAULT' }).filter(
      ({ severity }) => severity === 'ERROR',
    );
    expect(errors.map(({ code }) => code)).toEqual(codes);
    expect(errors.every(({ fix }) => fix.startsWith('Use '))).toBe(true);
  });
});

describe('validation of nonsense', () => {
  const numbers = fc.oneof(
    fc.constantFrom(Number.NaN, Infinity, -Infinity, -0, 0, -1, 1, 2.5, 1e9, 1e308, 5e-324, 2 ** 53),
    fc.double(),
    fc.integer(),
  );
  const settings = fc.record({
    prompt: fc.oneof(fc.string({ unit: 'binary' }), fc.constant('('.repeat(10_000))),
    negativePrompt: fc.string({ unit: 'binary' }),
    width: numbers,
    height: numbers,
    steps: numbers,
    guidanceScale: numbers,
    scheduler: fc.constantFrom(...SCHEDULER_NAMES),
    sigmaSchedule: fc.constantFrom(...SIGMA_SCHEDULES),
    clipSkip: numbers,
    seed: fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
    imageCount: numbers,
    strength: numbers,
  });
  const options: fc.Arbitrary<SamplerOptions> = fc.record(
    {
      timesteps: fc.array(numbers, { maxLength: 12 }),
      sigmas: fc.array(numbers, { maxLength: 12 }),
      eta: numbers,
      sChurn: numbers,
      sNoise: numbers,
    },
    { requiredKeys: [] },
  );

  it('never throws, and lets no number pass that is out of its range or no number', () => {
    fc.assert(
      fc.property(settings, options, (each, chosen) => {
        const findings = validate(pico, config, each, chosen);
        const fields = new Set(findings.map(({ field }) => field.at(-1)));
        const isWhole = (value: number, max: number) => Number.isInteger(value) && value >= 1 && value <= max;
        const isSide = (value: number) => isWhole(value, 1024) && value % 32 === 0;
        const isFine = {
          width: isSide(each.width),
          height: isSide(each.height),
          steps: isWhole(each.steps, 1000),
          imageCount: isWhole(each.imageCount, 8),
          clipSkip: isWhole(each.clipSkip, 2),
          guidanceScale: each.guidanceScale >= 0 && each.guidanceScale <= 100,
          strength: each.strength > 0 && each.strength <= 1,
          seed: each.seed >= 0n && each.seed < 2n ** 64n,
        };
        const unnoticed = Object.entries(isFine).filter(([name, fine]) => !fine && !fields.has(name));
        expect(unnoticed).toEqual([]);
        for (const [name, value] of Object.entries(chosen)) {
          const isFinite = [value].flat().every((one) => Number.isFinite(one));
          if (!isFinite) expect(fields).toContain(name);
        }
      }),
      { numRuns: 300 },
    );
  });
});

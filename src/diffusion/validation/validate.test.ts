import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readManifest, readSchedulerConfig } from '../../../test/parity/recorded.ts';
import type { Manifest } from '../../kernel/manifest.ts';
import type { Finding, FindingCode } from './finding.ts';
import type { SchedulerName } from '../names.ts';
import { SCHEDULER_NAMES, SIGMA_SCHEDULES } from '../names.ts';
import { compilePlan } from '../plan.ts';
import type { SamplerOptions } from '../sampler-options.ts';
import type { Settings } from '../settings.ts';
import { resolveSettings } from '../settings.ts';
import { validate } from './validate.ts';

const manifest = readManifest();
const schedulerConfig = readSchedulerConfig();
const good = resolveSettings(manifest, { prompt: 'a red apple, blue background', seed: 2n });
const check = (changes: Partial<Settings>) =>
  validate(manifestFor(changes.scheduler), schedulerConfig, { ...good, ...changes });

/** The bundle, distilled where the scheduler wants it. */
function manifestFor(scheduler: SchedulerName | undefined): Manifest {
  return scheduler === 'LCM' || scheduler === 'TCD' ? { ...manifest, distilledFor: [scheduler] } : manifest;
}

const errorsIn = (findings: readonly Finding[]) => findings.filter(({ severity }) => severity === 'ERROR');

describe('validation', () => {
  it("finds nothing in the bundle's own defaults", () => {
    expect(check({})).toEqual([]);
  });

  it.each<[Partial<Settings>, FindingCode, keyof Settings, string]>([
    [{ prompt: '' }, 'PROMPT_EMPTY', 'prompt', 'what to draw'],
    [{ prompt: ' \n\t\u3000' }, 'PROMPT_EMPTY', 'prompt', 'what to draw'],
    [{ prompt: 'a'.repeat(1024 * 1024) }, 'PROMPT_TOO_LONG', 'prompt', '8192'],
    [{ negativePrompt: '\u{1f34e}'.repeat(2049) }, 'PROMPT_TOO_LONG', 'negativePrompt', '8192'],
    [{ prompt: '(a:10.5)' }, 'PROMPT_WEIGHT_OUT_OF_RANGE', 'prompt', 'a smaller number'],
    [{ negativePrompt: '(a:-11)' }, 'PROMPT_WEIGHT_OUT_OF_RANGE', 'negativePrompt', 'a smaller number'],
    [{ prompt: '('.repeat(8_000) + 'a' }, 'PROMPT_WEIGHT_OUT_OF_RANGE', 'prompt', 'Use fewer brackets'],
    [{ clipSkip: 3 }, 'CLIP_SKIP_UNSUPPORTED', 'clipSkip', 'Use one of 1, 2.'],
    [{ clipSkip: 0 }, 'CLIP_SKIP_UNSUPPORTED', 'clipSkip', 'Use one of 1, 2.'],
    [{ width: 0 }, 'SIZE_INVALID', 'width', 'Use 32.'],
    [{ width: 7 }, 'SIZE_INVALID', 'width', 'Use 32.'],
    [{ width: Number.NaN }, 'SIZE_INVALID', 'width', 'Use 32.'],
    [{ height: 513 }, 'SIZE_INVALID', 'height', 'Use 512.'],
    [{ height: -128 }, 'SIZE_INVALID', 'height', 'Use 32.'],
    [{ height: 65_536 }, 'SIZE_TOO_LARGE', 'height', 'Use 1024.'],
    [{ steps: 0 }, 'STEPS_OUT_OF_RANGE', 'steps', 'Use 1.'],
    [{ steps: -1 }, 'STEPS_OUT_OF_RANGE', 'steps', 'Use 1.'],
    [{ steps: 1e9 }, 'STEPS_OUT_OF_RANGE', 'steps', 'Use 1000.'],
    [{ steps: 2.5 }, 'STEPS_OUT_OF_RANGE', 'steps', 'Use 3.'],
    [{ steps: 999, sigmaSchedule: 'DEFAULT' }, 'STEPS_OUT_OF_RANGE', 'steps', 'Use 998.'],
    [{ steps: 1000, scheduler: 'EULER_DISCRETE' }, 'STEPS_OUT_OF_RANGE', 'steps', 'Use 999.'],
    [{ guidanceScale: -1 }, 'GUIDANCE_OUT_OF_RANGE', 'guidanceScale', 'Use 0.'],
    [{ guidanceScale: Number.NaN }, 'GUIDANCE_OUT_OF_RANGE', 'guidanceScale', 'Use 0.'],
    [{ guidanceScale: Infinity }, 'GUIDANCE_OUT_OF_RANGE', 'guidanceScale', 'Use 25.'],
    [{ imageCount: 0 }, 'IMAGE_COUNT_OUT_OF_RANGE', 'imageCount', 'Use 1.'],
    [{ imageCount: 9 }, 'IMAGE_COUNT_OUT_OF_RANGE', 'imageCount', 'Use 8.'],
    [{ seed: -1n }, 'SEED_OUT_OF_RANGE', 'seed', 'Use 0.'],
    [{ seed: 2n ** 64n }, 'SEED_OUT_OF_RANGE', 'seed', `Use ${2n ** 64n - 1n}.`],
    [
      { scheduler: 'DDIM', sigmaSchedule: 'KARRAS' },
      'SIGMA_SCHEDULE_UNSUPPORTED',
      'sigmaSchedule',
      'Use one of DEFAULT.',
    ],
    [
      { scheduler: 'UNI_PC_MULTISTEP', sigmaSchedule: 'AYS' },
      'SIGMA_SCHEDULE_UNSUPPORTED',
      'sigmaSchedule',
      'DEFAULT, KARRAS, EXPONENTIAL, BETA',
    ],
    [{ steps: 101, sigmaSchedule: 'AYS' }, 'STEPS_OUT_OF_RANGE', 'steps', 'Use 100.'],
    [{ steps: 51, scheduler: 'LCM', sigmaSchedule: 'DEFAULT' }, 'STEPS_OUT_OF_RANGE', 'steps', 'Use 50.'],
    [{ steps: 19, scheduler: 'SA_SOLVER', sigmaSchedule: 'BETA' }, 'STEPS_OUT_OF_RANGE', 'steps', 'Use 20.'],
  ])('says what is wrong and the nearest that would do: %o', (changes, code, field, fix) => {
    const findings = errorsIn(check(changes));
    expect(findings).toMatchObject([{ code, field: [field] }]);
    expect(findings[0]?.fix).toContain(fix);
  });

  it('refuses a scheduler that cannot run what the model predicts, and names those that can', () => {
    const predictsSample = readSchedulerConfig({ prediction_type: 'sample' });
    const settings: Settings = { ...good, scheduler: 'EULER_ANCESTRAL_DISCRETE', sigmaSchedule: 'DEFAULT' };
    const findings = validate({ ...manifest, predictionType: 'sample' }, predictsSample, settings);
    expect(findings).toMatchObject([{ code: 'PREDICTION_UNSUPPORTED', field: ['scheduler'] }]);
    expect(findings[0]?.fix).toContain('DDIM, DDPM, LMS_DISCRETE, EULER_DISCRETE, HEUN_DISCRETE');
    expect(validate(manifest, schedulerConfig, settings)).toEqual([]);
  });

  const checkOptions = (scheduler: SchedulerName, options: SamplerOptions, record: object = {}) =>
    errorsIn(
      validate(
        { ...manifestFor(scheduler), predictionType: readSchedulerConfig(record).predictionType },
        readSchedulerConfig(record),
        { ...good, scheduler, sigmaSchedule: 'DEFAULT', steps: 4 },
        options,
      ),
    );

  it.each<[SchedulerName, SamplerOptions, FindingCode, string]>([
    ['HEUN_DISCRETE', { eta: 0.5 }, 'OPTION_UNSUPPORTED', 'DDIM, TCD'],
    ['DDIM', { sChurn: 1 }, 'OPTION_UNSUPPORTED', 'EULER_DISCRETE'],
    ['LCM', { timestepSpacing: 'trailing' }, 'OPTION_UNSUPPORTED', 'leave it out'],
    ['UNI_PC_MULTISTEP', { timesteps: [900, 600, 300, 0] }, 'OPTION_UNSUPPORTED', 'HEUN_DISCRETE'],
    ['DDIM', { eta: 1.5 }, 'OPTION_INVALID', 'Use 1.'],
    ['DDIM', { eta: Number.NaN }, 'OPTION_INVALID', 'Use 0.'],
    ['DDPM', { timesteps: [900, 600, 600, 0] }, 'OPTION_INVALID', 'Mend'],
    ['DDPM', { timesteps: [1000, 600, 300, 0] }, 'OPTION_INVALID', 'Mend'],
    ['EULER_DISCRETE', { sigmas: [9, 5, 3, 0, 0] }, 'OPTION_INVALID', 'Mend'],
    ['EULER_DISCRETE', { sigmas: [1e308, 5, 3, 1, 0] }, 'OPTION_INVALID', 'Mend'],
    ['EULER_DISCRETE', { sigmas: [14, 5, 3, 2, 1] }, 'ENDS_IN_NOISE', 'Leave sigmas out'],
    ['HEUN_DISCRETE', { timesteps: [999, 998, 1, 0] }, 'ENDS_IN_NOISE', 'Leave timesteps out'],
    ['EULER_DISCRETE', { timesteps: [9, 5, 3, 0], timestepSpacing: 'leading' }, 'OPTION_INVALID', 'Leave'],
  ])('refuses what %s does not read or cannot use: %o', (scheduler, options, code, fix) => {
    const findings = checkOptions(scheduler, options);
    const [option] = Object.keys(options);
    expect(findings).toMatchObject([{ code, severity: 'ERROR', field: ['samplerOptions', option] }]);
    expect(findings[0]?.fix).toContain(fix);
  });

  it('takes as many steps as a list has, and no other number', () => {
    expect(checkOptions('DDPM', { timesteps: [900, 600, 300, 0] })).toEqual([]);
    expect(checkOptions('EULER_DISCRETE', { sigmas: [9, 5, 3, 1, 0] })).toEqual([]);
    const findings = checkOptions('DDPM', { timesteps: [900, 600, 300] });
    expect(findings).toMatchObject([
      { code: 'STEPS_OUT_OF_RANGE', message: 'steps must be 3, not 4.', fix: 'Use 3.' },
    ]);
  });

  it('says of a list with no step at all that it is none, and nothing of its steps', () => {
    const settings: Settings = { ...good, scheduler: 'EULER_DISCRETE', sigmaSchedule: 'DEFAULT', steps: 9 };
    for (const options of [{ timesteps: [] }, { sigmas: [] }, { sigmas: [5] }]) {
      expect(validate(manifest, schedulerConfig, settings, options)).toMatchObject([
        { code: 'OPTION_INVALID' },
      ]);
    }
  });

  it('refuses a list of more steps than a run can have, whatever number is beside it', () => {
    const sigmas = Array.from({ length: 1_501 }, (_, i) => 1_500 - i);
    for (const steps of [1, 1_000, 1_500]) {
      const settings: Settings = { ...good, scheduler: 'EULER_DISCRETE', sigmaSchedule: 'DEFAULT', steps };
      expect(validate(manifest, schedulerConfig, settings, { sigmas })).toMatchObject([
        { code: 'STEPS_OUT_OF_RANGE', fix: 'Shorten the list to 1000 steps.' },
      ]);
    }
  });

  it('says of a list beside a sigma schedule, which a model may have by default, what goes with it', () => {
    const settings: Settings = { ...good, scheduler: 'EULER_DISCRETE', sigmaSchedule: 'KARRAS', steps: 3 };
    const fixOf = (options: SamplerOptions) =>
      errorsIn(validate(manifest, schedulerConfig, settings, options)).map(({ fix }) => fix);
    expect(fixOf({ sigmas: [14, 5, 1, 0] })).toEqual([
      'Use the sigma schedule DEFAULT, or leave sigmas out.',
    ]);
    expect(fixOf({ timesteps: [999, 500, 9] })).toEqual([
      'Use the sigma schedule DEFAULT, or leave timesteps out.',
    ]);
  });

  it('refuses a scheduler that cannot start from noise alone where the model was trained to', () => {
    const record = { rescale_betas_zero_snr: true, prediction_type: 'v_prediction' };
    expect(checkOptions('HEUN_DISCRETE', {}, record)).toMatchObject([
      {
        code: 'OPTION_UNSUPPORTED',
        field: ['scheduler'],
        message: expect.stringContaining('noise alone'),
        fix: expect.stringMatching(/^Use one of DDIM, [A-Z_, ]+\.$/),
      },
    ]);
    expect(checkOptions('DDIM', {}, record)).toEqual([]);
    expect(checkOptions('DDIM', {}, { ...record, prediction_type: 'epsilon' })).toMatchObject([
      { code: 'OPTION_UNSUPPORTED', field: ['scheduler'] },
    ]);
  });

  it('bounds the pixels of a picture where each side is allowed by itself', () => {
    const large = { ...manifest, nativeSize: 1024 };
    const findings = validate(large, schedulerConfig, { ...good, width: 8192, height: 1024 });
    expect(findings).toMatchObject([{ code: 'SIZE_TOO_LARGE', field: ['height'] }]);
    expect(errorsIn(validate(large, schedulerConfig, { ...good, width: 8192, height: 512 }))).toEqual([]);
  });

  it('warns, and lets run, a negative prompt that guidance will not use', () => {
    const findings = check({ guidanceScale: 1, negativePrompt: 'blurry' });
    expect(findings).toMatchObject([{ code: 'NEGATIVE_PROMPT_UNUSED', severity: 'WARNING' }]);
  });

  it('lets weights stand that a picture can be drawn with', () => {
    expect(check({ prompt: '(a:10) (b:-10) [[[[[[[[c]]]]]]]] \\(((d' })).toEqual([]);
  });

  it('finds every fault at once', () => {
    const fields = check({ prompt: '', width: 7, steps: 0, scheduler: 'DDIM', sigmaSchedule: 'AYS' }).flatMap(
      ({ field }) => field,
    );
    expect(fields).toEqual(['prompt', 'width', 'steps', 'sigmaSchedule']);
  });

  it('never echoes the prompt', () => {
    const secret = 'my secret idea '.repeat(1000);
    for (const prompt of [secret, '(my secret idea:99)']) {
      expect(JSON.stringify(check({ prompt, steps: 0 }))).not.toContain('secret');
    }
  });

  it('passes only what can be compiled', () => {
    const settings = fc.record({
      prompt: fc.string(),
      negativePrompt: fc.string(),
      width: fc.integer({ min: -1, max: 40 }).map((count) => count * 32),
      height: fc.integer({ min: -1, max: 40 }).map((count) => count * 32),
      steps: fc.integer({ min: -1, max: 60 }),
      guidanceScale: fc.double({ min: -1, max: 110 }),
      scheduler: fc.constantFrom(...SCHEDULER_NAMES),
      sigmaSchedule: fc.constantFrom(...SIGMA_SCHEDULES),
      clipSkip: fc.integer({ min: 0, max: 3 }),
      seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      imageCount: fc.integer({ min: 0, max: 10 }),
    });
    fc.assert(
      fc.property(settings, (each) => {
        fc.pre(!validate(manifest, schedulerConfig, each).some(({ severity }) => severity === 'ERROR'));
        const plan = compilePlan({ manifest, schedulerConfig, settings: each, promptChunks: 1 });
        const shapes = plan.calls.flatMap(({ inputs, outputs }) => inputs.concat(outputs));
        expect(shapes.every(({ shape }) => shape.every((size) => Number.isInteger(size) && size > 0))).toBe(
          true,
        );
      }),
      { numRuns: 50 },
    );
  });
});

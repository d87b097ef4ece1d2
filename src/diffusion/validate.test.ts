import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readManifest, readSchedulerConfig } from '../../test/parity/recorded.ts';
import { SCHEDULER_NAMES, SIGMA_SCHEDULES } from './names.ts';
import { compilePlan } from './plan.ts';
import { isBuilt } from './schedulers/registry.ts';
import type { Settings } from './settings.ts';
import { resolveSettings } from './settings.ts';
import type { FindingCode } from './validate.ts';
import { validate } from './validate.ts';

const manifest = readManifest();
const schedulerConfig = readSchedulerConfig();
const good = resolveSettings(manifest, { prompt: 'a red apple, blue background', seed: 2n });
const check = (changes: Partial<Settings>) => validate(manifest, schedulerConfig, { ...good, ...changes });

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
    [{ guidanceScale: Infinity }, 'GUIDANCE_OUT_OF_RANGE', 'guidanceScale', 'Use 100.'],
    [{ imageCount: 0 }, 'IMAGE_COUNT_OUT_OF_RANGE', 'imageCount', 'Use 1.'],
    [{ imageCount: 9 }, 'IMAGE_COUNT_OUT_OF_RANGE', 'imageCount', 'Use 8.'],
    [{ seed: -1n }, 'SEED_OUT_OF_RANGE', 'seed', 'Use 0.'],
    [{ seed: 2n ** 64n }, 'SEED_OUT_OF_RANGE', 'seed', `Use ${2n ** 64n - 1n}.`],
    [
      { scheduler: 'DDPM' },
      'SCHEDULER_NOT_BUILT',
      'scheduler',
      'DDIM, EULER_DISCRETE, EULER_ANCESTRAL_DISCRETE, DPM_SOLVER_MULTISTEP',
    ],
    [
      { scheduler: 'DDIM', sigmaSchedule: 'KARRAS' },
      'SIGMA_SCHEDULE_UNSUPPORTED',
      'sigmaSchedule',
      'Use one of DEFAULT.',
    ],
    [{ sigmaSchedule: 'AYS' }, 'SIGMA_SCHEDULE_UNSUPPORTED', 'sigmaSchedule', 'DEFAULT, KARRAS'],
  ])('says what is wrong and the nearest that would do: %o', (changes, code, field, fix) => {
    const findings = check(changes);
    expect(findings).toMatchObject([{ code, severity: 'ERROR', field: [field] }]);
    expect(findings[0]?.fix).toContain(fix);
  });

  it('refuses a scheduler that cannot run what the model predicts, and names those that can', () => {
    const predictsSample = readSchedulerConfig({ prediction_type: 'sample' });
    const settings: Settings = { ...good, scheduler: 'EULER_ANCESTRAL_DISCRETE', sigmaSchedule: 'DEFAULT' };
    const findings = validate(manifest, predictsSample, settings);
    expect(findings).toMatchObject([{ code: 'PREDICTION_UNSUPPORTED', field: ['scheduler'] }]);
    expect(findings[0]?.fix).toContain('DDIM, EULER_DISCRETE, DPM_SOLVER_MULTISTEP');
    expect(validate(manifest, schedulerConfig, settings)).toEqual([]);
  });

  it('bounds the pixels of a picture where each side is allowed by itself', () => {
    const large = { ...manifest, nativeSize: 1024 };
    const findings = validate(large, schedulerConfig, { ...good, width: 8192, height: 1024 });
    expect(findings).toMatchObject([{ code: 'SIZE_TOO_LARGE', field: ['height'] }]);
    expect(validate(large, schedulerConfig, { ...good, width: 8192, height: 512 })).toEqual([]);
  });

  it('warns, and lets run, a negative prompt that guidance will not use', () => {
    const findings = check({ guidanceScale: 1, negativePrompt: 'blurry' });
    expect(findings).toMatchObject([{ code: 'NEGATIVE_PROMPT_UNUSED', severity: 'WARNING' }]);
  });

  it('lets weights stand that a picture can be drawn with', () => {
    expect(check({ prompt: '(a:10) (b:-10) [[[[[[[[c]]]]]]]] \\(((d' })).toEqual([]);
  });

  it('finds every fault at once', () => {
    const fields = check({ prompt: '', width: 7, steps: 0, scheduler: 'LCM' }).flatMap(({ field }) => field);
    expect(fields).toEqual(['prompt', 'width', 'steps', 'scheduler']);
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
      scheduler: fc.constantFrom(...SCHEDULER_NAMES.filter(isBuilt), 'TCD' as const),
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

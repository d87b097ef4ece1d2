import { describe, expect, it } from 'vitest';
import { readManifest, readSchedulerConfig } from '../../../test/parity/recorded.ts';
import type { Manifest } from '../../kernel/manifest.ts';
import { parseManifest } from '../../kernel/manifest.ts';
import { BundleError } from '../bundle-error.ts';
import { FAMILY_RULES } from './family-rules.ts';
import { validateVersion } from './validate-version.ts';

const pico = readManifest();
const sd15: Manifest = { ...pico, name: 'sd', family: 'SD15', nativeSize: 512 };
const find = (manifest: Manifest, record: object = {}) =>
  validateVersion(manifest, readSchedulerConfig(record));

describe('a version', () => {
  it('passes as the bundle is that the platform comes with, and as models are published', () => {
    expect(find(pico)).toEqual([]);
    expect(find(sd15)).toEqual([]);
    expect(find({ ...sd15, family: 'SD21', nativeSize: 768 })).toEqual([]);
    expect(
      find(
        {
          ...sd15,
          family: 'TURBO',
          defaults: {
            scheduler: 'EULER_ANCESTRAL_DISCRETE',
            sigmaSchedule: 'DEFAULT',
            steps: 1,
            guidanceScale: 0,
          },
        },
        { timestep_spacing: 'trailing' },
      ),
    ).toEqual([]);
    expect(
      find({
        ...sd15,
        family: 'LCM',
        defaults: { scheduler: 'LCM', sigmaSchedule: 'DEFAULT', steps: 4, guidanceScale: 1 },
      }),
    ).toEqual([]);
  });

  it.each<[string, Manifest, object, string]>([
    [
      'the first beta that a loader of diffusers writes',
      sd15,
      { beta_start: 0.02, beta_end: 0.085 },
      'beta_start 0.02',
    ],
    ['another last beta', sd15, { beta_end: 0.02 }, 'beta_end 0.02'],
    ["the classes' own schedule of betas", sd15, { beta_schedule: 'linear' }, 'beta_schedule linear'],
    ['fewer training timesteps', sd15, { num_train_timesteps: 500 }, 'num_train_timesteps 500'],
    ['betas that pico was not trained with', pico, { beta_schedule: 'linear' }, 'beta_schedule linear'],
    [
      'a prediction that the family does not make',
      { ...sd15, predictionType: 'sample' },
      { prediction_type: 'sample' },
      'prediction_type sample',
    ],
    [
      'a prediction that the manifest denies',
      pico,
      { prediction_type: 'v_prediction' },
      'manifest.json has epsilon',
    ],
    ['a spacing that begins at the wrong end', { ...sd15, family: 'TURBO' }, {}, 'timestep_spacing leading'],
  ])('is refused with %s', (_, manifest, record, text) => {
    const errors = find(manifest, record).filter(({ severity }) => severity === 'ERROR');
    expect(errors.every(({ code }) => code === 'MODEL_RECORD_INVALID')).toBe(true);
    expect(errors.map(({ message }) => message).join(' ')).toContain(text);
  });

  it('is refused when its defaults could not run', () => {
    const defaults = { ...pico.defaults, scheduler: 'LCM', sigmaSchedule: 'KARRAS', steps: 60 };
    const codes = find({ ...pico, defaults }).flatMap(({ severity, code }) =>
      severity === 'ERROR' ? [code] : [],
    );
    expect(codes).toEqual(['STEPS_OUT_OF_RANGE', 'DISTILLATION_MISSING', 'SIGMA_SCHEDULE_UNSUPPORTED']);
    const unknown = { ...pico, defaults: { ...pico.defaults, scheduler: 'MAGIC' } };
    expect(() => find(unknown)).toThrow(BundleError);
  });

  it.each<[string, Manifest, object]>([
    ['a family that nobody has told of', { ...pico, family: 'CONSTRUCTOR' }, {}],
    ['a family that is a word of JavaScript', { ...pico, family: 'constructor' }, {}],
    ['a native size of no model of its family', { ...sd15, nativeSize: 640 }, {}],
    [
      'a zero terminal SNR that its spacing does not begin with',
      { ...pico, predictionType: 'v_prediction' },
      { rescale_betas_zero_snr: true, prediction_type: 'v_prediction' },
    ],
  ])('is warned of, and offered, with %s', (_, manifest, record) => {
    expect(find(manifest, record)).toMatchObject([{ code: 'MODEL_RECORD_UNUSUAL', severity: 'WARNING' }]);
  });

  it('says what it was distilled for, or nothing', () => {
    const json = JSON.parse(JSON.stringify(pico));
    expect(parseManifest({ ...json, distilledFor: ['LCM'] }).distilledFor).toEqual(['LCM']);
    expect(parseManifest(json).distilledFor).toBeUndefined();
    expect(() => parseManifest({ ...json, distilledFor: ['FAST'] })).toThrow('distilledFor');
  });

  it('has a row of rules in each family, with sides from small to large', () => {
    expect(Object.keys(FAMILY_RULES)).toEqual([
      'SD15',
      'SD15_INPAINT',
      'SD21',
      'SDXL',
      'SDXL_REFINER',
      'TURBO',
      'LCM',
      'PICO',
    ]);
    for (const { sides, usualPixels } of Object.values(FAMILY_RULES)) {
      expect(sides.min).toBeLessThan(sides.max);
      expect(usualPixels.min).toBeLessThan(usualPixels.max);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { BundleError } from '../bundle-error.ts';
import { parseSchedulerConfig } from './config.ts';

const record = {
  _class_name: 'PNDMScheduler',
  num_train_timesteps: 1000,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: 'scaled_linear',
  prediction_type: 'epsilon',
  clip_sample: true,
  skip_prk_steps: true,
  trained_betas: null,
};

describe('a scheduler configuration', () => {
  it('is read from the file of any class of diffusers', () => {
    expect(parseSchedulerConfig(record)).toEqual({
      trainTimesteps: 1000,
      betaStart: 0.00085,
      betaEnd: 0.012,
      betaSchedule: 'scaled_linear',
      predictionType: 'epsilon',
      timestepSpacing: undefined,
      stepsOffset: 0,
      setAlphaToOne: undefined,
      zeroTerminalSnr: false,
    });
  });

  it.each([
    ['beta_start', 'a'],
    ['beta_start', Number.NaN],
    ['beta_end', 0.0001],
    ['beta_schedule', 'cosine'],
    ['prediction_type', undefined],
    ['prediction_type', 'flow_prediction'],
    ['num_train_timesteps', 10.5],
    ['num_train_timesteps', -1],
    ['timestep_spacing', 'uniform'],
    ['steps_offset', 2],
    ['set_alpha_to_one', 1],
    ['rescale_betas_zero_snr', 'yes'],
  ])('is refused by the name of the field at fault: %s %s', (field, value) => {
    const parse = () => parseSchedulerConfig({ ...record, [field]: value });
    expect(parse).toThrow(BundleError);
    expect(parse).toThrow(field);
  });

  it.each([
    ['trained_betas', [0.1, 0.2]],
    ['final_sigmas_type', 'sigma_min'],
    ['thresholding', true],
  ])('is refused rather than half obeyed: %s', (field, value) => {
    expect(() => parseSchedulerConfig({ ...record, [field]: value })).toThrow(field);
  });

  it('is refused when it is no object', () => {
    for (const json of [null, [], 'x', 3]) expect(() => parseSchedulerConfig(json)).toThrow(BundleError);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSchedulerConfig } from './config.ts';
import { logTable, sigmaAt, timestepOfSigma, trainingSigmas } from './sigmas.ts';

const table = trainingSigmas(
  parseSchedulerConfig({
    num_train_timesteps: 1000,
    beta_start: 0.00085,
    beta_end: 0.012,
    beta_schedule: 'scaled_linear',
    prediction_type: 'epsilon',
  }),
);

describe('noise levels', () => {
  it('span the range that Stable Diffusion is trained on', () => {
    expect(table).toHaveLength(1000);
    expect(table[0]).toBeCloseTo(0.0291675, 7);
    expect(table[999]).toBeCloseTo(14.614647, 5);
  });

  it('lead back to the timestep they came from', () => {
    const logs = logTable(table);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999 }), (timestep) => {
        expect(timestepOfSigma(sigmaAt(table, timestep), logs)).toBeCloseTo(timestep, 3);
      }),
    );
  });
});

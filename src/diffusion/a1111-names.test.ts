import { describe, expect, it } from 'vitest';
import { parseA1111Name } from './a1111-names.ts';

describe("AUTOMATIC1111's names", () => {
  it.each([
    ['Euler', 'EULER_DISCRETE', 'DEFAULT', {}],
    ['Euler a', 'EULER_ANCESTRAL_DISCRETE', 'DEFAULT', {}],
    ['LMS Karras', 'LMS_DISCRETE', 'KARRAS', {}],
    ['DPM2 a Karras', 'KDPM2_ANCESTRAL_DISCRETE', 'KARRAS', {}],
    ['DPM++ 2M', 'DPM_SOLVER_MULTISTEP', 'DEFAULT', {}],
    [' dpm++  2m sde  KARRAS ', 'DPM_SOLVER_MULTISTEP', 'KARRAS', { algorithm: 'sde-dpmsolver++' }],
    ['DPM++ SDE Karras', 'DPM_SOLVER_SDE', 'KARRAS', {}],
    ['Euler SGM Uniform', 'EULER_DISCRETE', 'DEFAULT', { timestepSpacing: 'trailing' }],
    ['Heun Align Your Steps', 'HEUN_DISCRETE', 'AYS', {}],
    ['PLMS', 'PNDM', 'DEFAULT', {}],
  ])('%s is the scheduler that does the same', (name, scheduler, sigmaSchedule, options) => {
    expect(parseA1111Name(name)).toEqual({ scheduler, sigmaSchedule, options });
  });

  it.each(['DPM fast', 'DPM adaptive', 'DPM++ 2S a', 'Karras', '', 'constructor'])(
    '%j has no counterpart and is not guessed',
    (name) => {
      expect(parseA1111Name(name)).toBeNull();
    },
  );
});

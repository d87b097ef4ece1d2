import fc from 'fast-check';
import { expect, it } from 'vitest';
import { listedSteps, settleOptions, storedOptions } from './sampler-options.ts';

const list = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 5 });
const options = fc.record(
  {
    timestepSpacing: fc.constantFrom('linspace', 'leading', 'trailing'),
    timesteps: fc.array(fc.nat(999), { maxLength: 5 }),
    sigmas: list,
    eta: fc.double({ noNaN: true, noDefaultInfinity: true }),
    sChurn: fc.double({ noNaN: true, noDefaultInfinity: true }),
    sNoise: fc.double({ noNaN: true, noDefaultInfinity: true }),
    solverOrder: fc.constantFrom(1, 2, 3),
    algorithm: fc.constantFrom('dpmsolver++', 'sde-dpmsolver++'),
  },
  { requiredKeys: [] },
);

it('options that are given in any order, with any of the others null, are written alike and read again', () => {
  fc.assert(
    fc.property(options, (given) => {
      const settled = settleOptions(given);
      const turned = Object.fromEntries(Object.entries(given).toReversed());
      const padded = { eta: null, sigmas: undefined, algorithm: null, ...turned };
      expect(JSON.stringify(settleOptions(padded))).toBe(JSON.stringify(settled));
      expect(storedOptions.parse(JSON.parse(JSON.stringify(settled)))).toEqual(
        JSON.parse(JSON.stringify(given)),
      );
    }),
  );
});

it('no options are none, however that is said', () => {
  for (const nothing of [null, undefined, {}, { eta: null, timesteps: undefined }]) {
    expect(settleOptions(nothing)).toEqual({});
  }
});

it('a list says how many steps there are: of levels one less, for the last is what is left', () => {
  expect(listedSteps({ timesteps: [999, 500] })).toBe(2);
  expect(listedSteps({ sigmas: [14, 3, 0] })).toBe(2);
  for (const none of [{ eta: 1 }, { timesteps: [] }, { sigmas: [] }, { sigmas: [14] }]) {
    expect(listedSteps(none)).toBeNull();
  }
});

import { describe, expect, it } from 'vitest';
import { roundHalfEven, trailingTimesteps } from './timesteps.ts';

describe('timesteps', () => {
  it('round halves to the even neighbour', () => {
    expect([0.5, 1.5, 2.5, 166.5, -0.5, 3.2].map(roundHalfEven).map((value) => value + 0)).toEqual([
      0, 2, 2, 166, 0, 3,
    ]);
  });

  it('are asked at distinct whole timesteps, as many as there are steps, under trailing spacing', () => {
    for (let steps = 1; steps <= 1000; steps += 1) {
      const timesteps = trailingTimesteps(steps, 1000);
      expect(timesteps).toHaveLength(steps);
      expect(new Set(timesteps).size).toBe(steps);
      expect(timesteps.every((timestep) => Number.isInteger(timestep) && timestep >= 0)).toBe(true);
    }
  });
});

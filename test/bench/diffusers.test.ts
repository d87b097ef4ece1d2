import { describe, expect, it } from 'vitest';
import { callSizes, fastestOf } from './diffusers.ts';

describe('calls of diffusers', () => {
  it('have as many prompts as they may, and all of them together as many as were asked for', () => {
    expect(callSizes(32, 8)).toEqual([8, 8, 8, 8]);
    expect(callSizes(30, 8)).toEqual([8, 8, 8, 6]);
    expect(callSizes(3, 1)).toEqual([1, 1, 1]);
    expect(callSizes(0, 8)).toEqual([]);
  });

  it('have the size with which diffusers drew fastest, so that it is shown at its best', () => {
    const rates = [
      { batch: 1, perSecond: 1.2 },
      { batch: 8, perSecond: 1.6 },
    ];
    expect(fastestOf(rates)).toBe(8);
    expect(fastestOf(rates.toReversed())).toBe(8);
    expect(() => fastestOf([])).toThrow();
  });
});

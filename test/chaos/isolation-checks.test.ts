import { describe, expect, it } from 'vitest';
import { compareListing } from './isolation-checks.ts';

describe('the look at what a tenant is shown', () => {
  it('finds nothing in its own jobs, whatever their order', () => {
    expect(compareListing('ten_1', { own: ['a', 'b'], listed: ['b', 'a'] })).toEqual([]);
  });

  it.each([
    ['a job of another', ['a', 'b', 'x']],
    ['one of its own that is missing', ['a']],
    ['a job that is listed twice', ['a', 'b', 'b']],
  ])('finds %s', (_what, listed) => {
    expect(compareListing('ten_1', { own: ['a', 'b'], listed })).toHaveLength(1);
  });
});

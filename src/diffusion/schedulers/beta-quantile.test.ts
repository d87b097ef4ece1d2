import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { betaQuantile } from './beta-quantile.ts';

describe('the quantile of the beta distribution', () => {
  // Of scipy 1.17.1: scipy.stats.beta.ppf(p, 0.6, 0.6).
  it.each([
    [0.001, 1.855873851745199e-5],
    [0.02, 0.002732982024577027],
    [0.1, 0.03958440558878085],
    [0.3333333333333333, 0.2754132907776234],
    [0.4999, 0.49986127490549975],
    [0.75, 0.824319621347305],
    [0.999, 0.9999814412614826],
  ])('is what scipy says at %d', (p, expected) => {
    expect(Math.abs(betaQuantile(p, 0.6) - expected)).toBeLessThanOrEqual(1e-14);
  });

  it('rises from 0 to 1 and mirrors itself', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(share, share, (p, q) => {
        const [low, high] = p < q ? [p, q] : [q, p];
        expect(betaQuantile(low, 0.6)).toBeLessThanOrEqual(betaQuantile(high, 0.6));
        expect(betaQuantile(low, 0.6) + betaQuantile(1 - low, 0.6)).toBeCloseTo(1, 9);
      }),
    );
    expect([betaQuantile(0, 0.6), betaQuantile(0.5, 0.6), betaQuantile(1, 0.6)]).toEqual([0, 0.5, 1]);
  });
});

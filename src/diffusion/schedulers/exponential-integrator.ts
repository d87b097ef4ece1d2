import { toLevel } from './prediction.ts';

/**
 * The coefficients of an exact integration over one step in lambda, the logarithm of 1 / sigma, in which the
 * linear part of the diffusion ODE has a closed form (Lu et al. 2022, "DPM-Solver++", equations 8 and 14).
 * The denoised estimate is a polynomial over the step: `constant` is the weight of its value at the start,
 * `linear` and `quadratic` those of its first and second differences per step.
 */
export interface ExponentialStep {
  /** Distance in lambda; infinite when the step goes to sigma 0. */
  readonly h: number;
  readonly latents: number;
  readonly constant: number;
  readonly linear: number;
  readonly quadratic: number;
  readonly noise: number;
}

/** A step of the probability-flow ODE, from one noise level to a lower one. */
export function integrateOde(from: number, to: number): ExponentialStep {
  const target = toLevel(to);
  const h = Math.log(from / to);
  // With lambda = -ln sigma, exp(-h) is the ratio of the two sigmas: exact, and 0 for a step to sigma 0.
  const grown = 1 - to / from;
  return {
    h,
    latents: target.std / toLevel(from).std,
    constant: target.alpha * grown,
    linear: target.alpha * (1 - grown / h),
    quadratic: target.alpha * (0.5 - (h - grown) / h ** 2),
    noise: 0,
  };
}

/**
 * A step of the reverse SDE, which adds fresh noise (Lu et al. 2022, equation 18). The half in `quadratic` has
 * the sign that diffusers gives it, not the one of a Taylor expansion.
 */
export function integrateSde(from: number, to: number): ExponentialStep {
  const target = toLevel(to);
  const h = Math.log(from / to);
  const ratio = to / from;
  const grown = 1 - ratio ** 2;
  return {
    h,
    latents: (target.std / toLevel(from).std) * ratio,
    constant: target.alpha * grown,
    linear: target.alpha * (1 - grown / (2 * h)),
    quadratic: target.alpha * (-0.5 - (2 * h - grown) / (2 * h) ** 2),
    noise: target.std * Math.sqrt(grown),
  };
}

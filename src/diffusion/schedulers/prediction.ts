import type { PredictionType } from '../../kernel/manifest.ts';

/** Weights of the latents and of the U-Net's answer in an estimate. */
export interface Estimate {
  readonly fromLatents: number;
  readonly fromOutput: number;
}

/** A noise level of variance-preserving latents, alpha x0 + std noise with alpha^2 + std^2 = 1. */
export interface Level {
  readonly alpha: number;
  readonly std: number;
}

/**
 * The denoised estimate for latents of variance 1 + sigma^2 (the sigma space of Euler and its kin):
 * Karras et al. 2022, section 5, and Salimans and Ho 2022 for v. `sigma` is the latents' noise level.
 */
export function denoiseInSigmaSpace(type: PredictionType, sigma: number): Estimate {
  switch (type) {
    case 'epsilon':
      return { fromLatents: 1, fromOutput: -sigma };
    case 'v_prediction':
      return { fromLatents: 1 / (sigma ** 2 + 1), fromOutput: -sigma / Math.sqrt(sigma ** 2 + 1) };
    case 'sample':
      return { fromLatents: 0, fromOutput: 1 };
  }
}

/** The slope of the probability-flow ODE in sigma space, (x - x0) / sigma: the noise that the model sees. */
export function slopeInSigmaSpace(type: PredictionType, sigma: number): Estimate {
  const { fromLatents, fromOutput } = denoiseInSigmaSpace(type, sigma);
  return { fromLatents: (1 - fromLatents) / sigma, fromOutput: -fromOutput / sigma };
}

/** The denoised estimate for variance-preserving latents. */
export function denoiseVariancePreserving(type: PredictionType, { alpha, std }: Level): Estimate {
  switch (type) {
    case 'epsilon':
      return { fromLatents: 1 / alpha, fromOutput: -std / alpha };
    case 'v_prediction':
      return { fromLatents: alpha, fromOutput: -std };
    case 'sample':
      return { fromLatents: 0, fromOutput: 1 };
  }
}

/** The noise in variance-preserving latents, as the model sees it. */
export function noiseVariancePreserving(type: PredictionType, { alpha, std }: Level): Estimate {
  switch (type) {
    case 'epsilon':
      return { fromLatents: 0, fromOutput: 1 };
    case 'v_prediction':
      return { fromLatents: std, fromOutput: alpha };
    case 'sample':
      return { fromLatents: 1 / std, fromOutput: -alpha / std };
  }
}

/** The latents moved from one level to another along the estimates, which are held as they are: a step of DDIM. */
export function move(type: PredictionType, from: Level, to: Level): Estimate {
  const clean = denoiseVariancePreserving(type, from);
  const noise = noiseVariancePreserving(type, from);
  return {
    fromLatents: to.alpha * clean.fromLatents + to.std * noise.fromLatents,
    fromOutput: to.alpha * clean.fromOutput + to.std * noise.fromOutput,
  };
}

/** Splits a noise level sigma = std / alpha into its two parts; an infinite one is noise alone. */
export function toLevel(sigma: number): Level {
  const alpha = 1 / Math.sqrt(sigma ** 2 + 1);
  return { alpha, std: sigma > 1 ? 1 / Math.sqrt(sigma ** -2 + 1) : sigma * alpha };
}

/** The same from alpha^2, which the training tables call alpha-bar. */
export function levelOfAlphaBar(alphaBar: number): Level {
  return { alpha: Math.sqrt(alphaBar), std: Math.sqrt(1 - alphaBar) };
}

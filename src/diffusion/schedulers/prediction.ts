import type { PredictionType } from '../../kernel/manifest.ts';

/** Weights of the latents and of the U-Net's answer in the denoised estimate. */
export interface Denoising {
  readonly fromLatents: number;
  readonly fromOutput: number;
}

/**
 * The denoised estimate for latents of variance 1 + sigma^2 (the sigma space of Euler and its kin):
 * Karras et al. 2022, section 5, and Salimans and Ho 2022 for v. `sigma` is the latents' noise level.
 */
export function denoiseInSigmaSpace(type: PredictionType, sigma: number): Denoising {
  switch (type) {
    case 'epsilon':
      return { fromLatents: 1, fromOutput: -sigma };
    case 'v_prediction':
      return { fromLatents: 1 / (sigma ** 2 + 1), fromOutput: -sigma / Math.sqrt(sigma ** 2 + 1) };
    case 'sample':
      return { fromLatents: 0, fromOutput: 1 };
  }
}

/** The same for variance-preserving latents, alpha x0 + std noise with alpha^2 + std^2 = 1. */
export function denoiseVariancePreserving(type: PredictionType, sigma: number): Denoising {
  const { alpha, std } = toAlphaStd(sigma);
  switch (type) {
    case 'epsilon':
      return { fromLatents: 1 / alpha, fromOutput: -std / alpha };
    case 'v_prediction':
      return { fromLatents: alpha, fromOutput: -std };
    case 'sample':
      return { fromLatents: 0, fromOutput: 1 };
  }
}

/** Splits a noise level sigma = std / alpha into its two parts. */
export function toAlphaStd(sigma: number): { readonly alpha: number; readonly std: number } {
  const alpha = 1 / Math.sqrt(sigma ** 2 + 1);
  return { alpha, std: sigma * alpha };
}

import { weightedSum } from '../kernels.ts';
import { toLevel } from './prediction.ts';
import type { Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';

/**
 * What the variance-preserving schedulers share: latents are alpha x0 + std noise with alpha^2 + std^2 = 1
 * (Song et al. 2021, "Score-Based Generative Modeling", section 3.4), and the model is given them as they are.
 */
export const variancePreserving: Pick<Scheduler, 'scaleInput' | 'addNoise'> = {
  scaleInput(_plan, _i, latents, out) {
    if (out !== latents) out.set(latents);
  },

  addNoise({ evaluations }, i, clean, noise, out) {
    const { alpha, std } = toLevel(at(evaluations, i).sigma);
    weightedSum({ a: alpha, b: std }, { x: clean, y: noise }, out);
  },
};

/** A noise level reached in two parts: down to `down`, then noise of strength `up`, which add up in squares. */
export interface Split {
  readonly down: number;
  readonly up: number;
}

/**
 * Splits the way from `sigma` to `next` for ancestral sampling: equation 16 of Song et al. 2021,
 * "DDIM", at eta 1, in sigma space (k-diffusion's `get_ancestral_step`).
 */
export function splitLevel(sigma: number, next: number): Split {
  const up = Math.sqrt((next ** 2 * (sigma ** 2 - next ** 2)) / sigma ** 2);
  return { down: Math.sqrt(next ** 2 - up ** 2), up };
}

import type { SchedulerConfig } from './config.ts';
import { at } from './scheduler.ts';

const { fround } = Math;

// The value of Karras et al. 2022, equation 5; diffusers has it fixed too.
const KARRAS_RHO = 7;

/**
 * Noise level of every training timestep, rising, as float32 values.
 *
 * Follows torch's float32 arithmetic operation by operation: tables in double differ by up to
 * 1.3e-5 at timestep 0, which shows in every picture's last step.
 */
export function trainingSigmas(config: SchedulerConfig): readonly number[] {
  let product = 1;
  return trainingBetas(config).map((beta) => {
    // The running product is kept in double and rounded per entry, as torch.cumprod does.
    product *= fround(1 - beta);
    const alphaBar = fround(product);
    return fround(Math.sqrt(fround(fround(1 - alphaBar) / alphaBar)));
  });
}

function trainingBetas({
  trainTimesteps,
  betaStart,
  betaEnd,
  betaSchedule,
}: SchedulerConfig): readonly number[] {
  if (betaSchedule === 'linear') return linspaceFloat32(betaStart, betaEnd, trainTimesteps);
  const roots = linspaceFloat32(Math.sqrt(betaStart), Math.sqrt(betaEnd), trainTimesteps);
  return roots.map((root) => fround(root * root));
}

/** torch.linspace in float32: fused multiply-add, the first half from the start, the second from the end. */
function linspaceFloat32(start: number, end: number, count: number): readonly number[] {
  const first = fround(start);
  const last = fround(end);
  const step = fround(fround(last - first) / (count - 1));
  return Array.from({ length: count }, (_, k) =>
    fround(k < count / 2 ? first + step * k : last - step * (count - 1 - k)),
  );
}

/** numpy.linspace: `count` values from `start` to `end`, the last exactly `end`. */
export function linspace(start: number, end: number, count: number): readonly number[] {
  const step = (end - start) / (count - 1);
  return Array.from({ length: count }, (_, k) =>
    k > 0 && k === count - 1 ? end : start + k * (count > 1 ? step : 0),
  );
}

/** Rounds halves to the even neighbour, as numpy and torch do; `Math.round` moves them up. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const excess = x - floor;
  if (excess !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * Timesteps under `trailing` spacing (Lin et al. 2024, table 2): from the last one down, whole.
 *
 * For 62 values of `steps` up to 1000, numpy's rounding gives diffusers one more entry, timestep -1,
 * and with it a paid evaluation of nothing and, for Euler's Karras curve, another lower end. Here the
 * list has `steps` entries, always.
 */
export function trailingTimesteps(steps: number, trainTimesteps: number): readonly number[] {
  // numpy.arange multiplies the difference of its first two entries, not the step it was given.
  const delta = trainTimesteps - trainTimesteps / steps - trainTimesteps;
  return Array.from({ length: steps }, (_, k) => roundHalfEven(trainTimesteps + k * delta) - 1);
}

/**
 * Timesteps under `leading` spacing: multiples of the whole part of `trainTimesteps / divisions`,
 * falling, `steps` of them above the `divisions - steps` lowest.
 */
export function leadingTimesteps(
  steps: number,
  divisions: number,
  { trainTimesteps, stepsOffset }: SchedulerConfig,
): readonly number[] {
  const ratio = Math.floor(trainTimesteps / divisions);
  return Array.from({ length: steps }, (_, k) => (divisions - 1 - k) * ratio + stepsOffset);
}

/** Linear interpolation in the table of training sigmas; clamped at both ends, as numpy.interp. */
export function sigmaAt(sigmas: readonly number[], timestep: number): number {
  const clamped = Math.min(Math.max(timestep, 0), sigmas.length - 1);
  const low = Math.floor(clamped);
  const from = at(sigmas, low);
  return low === clamped ? from : from + (at(sigmas, low + 1) - from) * (clamped - low);
}

/** `steps` noise levels from `max` down to `min`, dense near the end (Karras et al. 2022, equation 5). */
export function karrasSigmas(
  steps: number,
  { max, min }: { readonly max: number; readonly min: number },
): readonly number[] {
  const top = max ** (1 / KARRAS_RHO);
  const bottom = min ** (1 / KARRAS_RHO);
  return linspace(0, 1, steps).map((ramp) => (top + ramp * (bottom - top)) ** KARRAS_RHO);
}

/**
 * The timestep, with its fraction, at which the model was trained on `sigma`: linear in log sigma.
 * The table of logarithms is rounded to float32 first, as diffusers has it.
 */
export function timestepOfSigma(sigma: number, logSigmas: readonly number[]): number {
  const logSigma = Math.log(Math.max(sigma, 1e-10));
  const above = logSigmas.findIndex((each) => each > logSigma);
  const low = Math.min(above === -1 ? logSigmas.length - 2 : Math.max(above - 1, 0), logSigmas.length - 2);
  const lowLog = at(logSigmas, low);
  const weight = (lowLog - logSigma) / fround(lowLog - at(logSigmas, low + 1));
  return low + Math.min(Math.max(weight, 0), 1);
}

/** The table that `timestepOfSigma` reads. */
export function logTable(sigmas: readonly number[]): readonly number[] {
  return sigmas.map((sigma) => fround(Math.log(sigma)));
}

import type { SchedulerConfig } from './config.ts';
import { at } from './scheduler.ts';

const { fround } = Math;

// What diffusers puts in the place of 0 where a scheduler divides by it.
const ALPHA_BAR_MIN = 2 ** -24;

/**
 * alpha-bar, the share of the signal's variance, at every training timestep: falling, as float32 values.
 *
 * Follows torch's float32 arithmetic operation by operation: tables in double differ by up to
 * 1.3e-5 at timestep 0, which shows in every picture's last step.
 */
export function trainingAlphaBars(config: SchedulerConfig): readonly number[] {
  const betas = trainingBetas(config);
  return cumulativeProduct(config.zeroTerminalSnr ? withZeroTerminalSnr(betas) : betas);
}

/** Noise level of every training timestep, rising, as float32 values: 4096 where no signal is left at all. */
export function trainingSigmas(config: SchedulerConfig): readonly number[] {
  return trainingAlphaBars(config).map((alphaBar) => sigmaOfAlphaBar(Math.max(alphaBar, ALPHA_BAR_MIN)));
}

/** A float32 alpha-bar as a noise level, in float32 arithmetic. */
export function sigmaOfAlphaBar(alphaBar: number): number {
  return fround(Math.sqrt(fround(fround(1 - alphaBar) / alphaBar)));
}

/** Shifts and scales the square roots of alpha-bar so that the last is 0 (Lin et al. 2024, Algorithm 1). */
function withZeroTerminalSnr(betas: readonly number[]): readonly number[] {
  const roots = cumulativeProduct(betas).map((alphaBar) => fround(Math.sqrt(alphaBar)));
  const first = at(roots, 0);
  const last = at(roots, roots.length - 1);
  const factor = fround(first / fround(first - last));
  const alphaBars = roots.map((root) => {
    const scaled = fround(fround(root - last) * factor);
    return fround(scaled * scaled);
  });
  return alphaBars.map((alphaBar, i) => fround(1 - fround(alphaBar / (alphaBars[i - 1] ?? 1))));
}

function cumulativeProduct(betas: readonly number[]): readonly number[] {
  let product = 1;
  return betas.map((beta) => {
    // The running product is kept in double and rounded per entry, as torch.cumprod does.
    product *= fround(1 - beta);
    return fround(product);
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

/** Linear interpolation in the table of training sigmas; clamped at both ends, as numpy.interp. */
export function sigmaAt(sigmas: readonly number[], timestep: number): number {
  const clamped = Math.min(Math.max(timestep, 0), sigmas.length - 1);
  const low = Math.floor(clamped);
  const from = at(sigmas, low);
  return low === clamped ? from : from + (at(sigmas, low + 1) - from) * (clamped - low);
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
  const share = Math.min(Math.max(weight, 0), 1);
  return (1 - share) * low + share * (low + 1);
}

/** The table that `timestepOfSigma` reads. */
export function logTable(sigmas: readonly number[]): readonly number[] {
  return sigmas.map((sigma) => fround(Math.log(sigma)));
}

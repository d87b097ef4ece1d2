import { combine } from '../kernels.ts';
import { OPTION_DOMAINS } from '../sampler-options.ts';
import { splitLevel } from './ancestral.ts';
import { denoiseInSigmaSpace } from './prediction.ts';
import type { Scheduler } from './scheduler.ts';
import { at, drawOf } from './scheduler.ts';
import { initialSigma, SIGMA_SPACE_SCHEDULES, sigmaSpace, sigmaSpaceLevels } from './sigma-space.ts';
import { logTable, timestepOfSigma, trainingSigmas } from './sigmas.ts';
import type { TwoStageEvaluation } from './two-stage.ts';
import { interleave, logMidpoint } from './two-stage.ts';

interface SdeEvaluation extends TwoStageEvaluation {
  /** Strength of the noise, 1 being its natural one. */
  readonly sNoise: number;
}

/** Between the halves of a step: the latents at its start and the noise of its first half. */
type SdeState = { readonly starts: readonly Float32Array[]; readonly noises: readonly Float32Array[] };

const none: SdeState = Object.freeze({ starts: [], noises: [] });

/**
 * DPM-Solver++ (SDE) in sigma space (`DPMSolverSDEScheduler` in diffusers, after k-diffusion's `sample_dpmpp_sde`):
 * to the middle of the step in log sigma, a look at the denoised estimate there, and with it over the whole step;
 * both ways ancestral. Two U-Net evaluations per step, but one for the last, which goes to sigma 0.
 *
 * The noise of both halves is one Brownian path. diffusers keeps it as a tree with a seed of its own; here each
 * half has a draw of the picture's own noise, and the path over the step is their sum, weighted by the lengths
 * of the halves. That is the same law without a tree.
 */
export const dpmSolverSde: Scheduler<SdeState, SdeEvaluation> = {
  ...sigmaSpace,
  sigmaSchedules: SIGMA_SPACE_SCHEDULES,
  predictionTypes: ['epsilon', 'v_prediction'],
  evaluationsPerStep: 2,

  plan(steps, request) {
    const levels = sigmaSpaceLevels(steps, request);
    const logs = logTable(trainingSigmas(request.config));
    const evaluations = interleave(levels, {
      second({ sigma, next }) {
        const middle = logMidpoint(sigma, next);
        return { sigma: middle, timestep: timestepOfSigma(middle, logs) };
      },
      draws: [1, 1],
    });
    const { sNoise = OPTION_DOMAINS.sNoise.default } = request.options ?? {};
    return {
      predictionType: request.config.predictionType,
      evaluations: evaluations.map((each) => ({ ...each, sNoise })),
      finalSigma: 0,
      initSigma: initialSigma(levels.sigmas, request.config),
    };
  },

  start: () => none,

  step({ predictionType, evaluations }, i, { starts, noises }, input, out) {
    const { sigma, stage, from, to, draws, sNoise } = at(evaluations, i);
    const { down, up: natural } = splitLevel(from, to);
    const up = natural * sNoise;
    const kept = down / from;
    const denoised = denoiseInSigmaSpace(predictionType, sigma);
    const a = (1 - kept) * denoised.fromLatents;
    const b = (1 - kept) * denoised.fromOutput;
    if (stage === 'FIRST') {
      const start = input.latents.slice();
      const fresh = draws > 0 ? [drawOf(input).slice()] : [];
      const noise = fresh.map((each) => [up, each] as const);
      combine([[kept + a, input.latents], [b, input.output], ...noise], out);
      return to === 0 ? none : { starts: [start], noises: fresh };
    }
    // sigma is where the first half ended.
    const [first, second] = [from - sigma, sigma - to].map((length) => up * Math.sqrt(length / (from - to)));
    const terms = [
      [kept, at(starts, 0)],
      [a, input.latents],
      [b, input.output],
      [first ?? 0, at(noises, 0)],
      [second ?? 0, drawOf(input)],
    ] as const;
    combine(terms, out);
    return none;
  },
};

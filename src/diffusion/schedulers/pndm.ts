import { outputTerms } from '../guidance.ts';
import { combine } from '../kernels.ts';
import { remember } from './multistep.ts';
import { levelOfAlphaBar, noiseVariancePreserving } from './prediction.ts';
import type { Evaluation, Scheduler } from './scheduler.ts';
import { at } from './scheduler.ts';
import { sigmaOfAlphaBar, trainingAlphaBars } from './sigmas.ts';
import { betweenTrainingTimesteps, spacedTimesteps } from './training-timesteps.ts';

interface PndmEvaluation extends Evaluation {
  /** alpha-bar where the U-Net is asked, one stride below and one stride above. */
  readonly alphaBar: number;
  readonly below: number;
  readonly above: number;
}

/** The answers of the U-Net, the newest first, and between the first two evaluations the latents of the first. */
type PndmState = { readonly answers: readonly Float32Array[]; readonly starts: readonly Float32Array[] };

// Adams and Bashforth's coefficients for answers at equal distances, the newest first, by how many there are.
const ADAMS = [
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
] as const;
const ORDER = ADAMS.length;

/**
 * Pseudo linear multistep sampling (Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds",
 * Algorithm 2 without the Runge-Kutta warm-up; `PNDMScheduler` in diffusers with `skip_prk_steps`). The first step is
 * taken twice, the second time with the mean of the answers at its two ends, so a run has one U-Net evaluation more
 * than steps. Later ones join the last four answers.
 *
 * Steps go down by the whole part of `trainTimesteps / steps`. A run that starts part of the way takes its first step
 * twice too, but its second evaluation is of the next timestep, whose own step is then never taken: so diffusers has it.
 */
export const pndm: Scheduler<PndmState, PndmEvaluation> = {
  ...betweenTrainingTimesteps,
  sigmaSchedules: ['DEFAULT'],
  predictionTypes: ['epsilon', 'v_prediction'],
  evaluationsPerStep: 1,

  plan(steps, { config }) {
    const table = trainingAlphaBars(config);
    const stride = Math.floor(config.trainTimesteps / steps);
    const end = config.setAlphaToOne ? 1 : at(table, 0);
    const spaced = spacedTimesteps(steps, config);
    const timesteps = [...spaced.slice(0, 2), ...spaced.slice(1)];
    const below = (timestep: number) => (timestep < stride ? end : at(table, timestep - stride));
    return {
      predictionType: config.predictionType,
      evaluations: timesteps.map((timestep) => ({
        timestep,
        sigma: sigmaOfAlphaBar(at(table, timestep)),
        draws: 0,
        alphaBar: at(table, timestep),
        below: below(timestep),
        above: at(table, Math.min(timestep + stride, table.length - 1)),
      })),
      finalSigma: sigmaOfAlphaBar(below(at(spaced, steps - 1))),
      initSigma: 1,
    };
  },

  start: () => ({ answers: [], starts: [] }),

  step({ predictionType, evaluations }, i, { answers, starts: [start] }, { latents, output }, out) {
    const { alphaBar, below, above } = at(evaluations, i);
    const isAgain = start !== undefined;
    const from = start ?? latents;
    // Before `out` is written, which may be the latents.
    const starts = i === 0 ? [latents.slice()] : [];
    const [fromBar, toBar] = isAgain ? [above, alphaBar] : [alphaBar, below];
    const kept = isAgain ? answers : remember(answers, ORDER, out.length);
    if (!isAgain) combine(outputTerms(1, output), at(kept, 0));
    const joined = isAgain
      ? ([...outputTerms(0.5, output), [0.5, at(kept, 0)]] as const)
      : at(ADAMS, kept.length - 1).map((weight, k) => [weight, at(kept, k)] as const);
    const move = transfer(fromBar, toBar);
    const noise = noiseVariancePreserving(predictionType, levelOfAlphaBar(fromBar));
    const weighted = joined.map(
      ([weight, answer]) => [move.noise * noise.fromOutput * weight, answer] as const,
    );
    combine([[move.latents + move.noise * noise.fromLatents, from], ...weighted], out);
    return { answers: kept, starts };
  },
};

/** Weights of latents and noise in a step from one alpha-bar to another (Liu et al. 2022, equation 11). */
function transfer(from: number, to: number): { readonly latents: number; readonly noise: number } {
  const scale = from * Math.sqrt(1 - to) + Math.sqrt(from * (1 - from) * to);
  return { latents: Math.sqrt(to / from), noise: -(to - from) / scale };
}

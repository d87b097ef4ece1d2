import { planSchedule } from '../plan-schedule.ts';
import type { SamplerOption, SamplerOptions } from '../sampler-options.ts';
import { SAMPLER_OPTIONS } from '../sampler-options.ts';
import type { SchedulerConfig } from '../schedulers/config.ts';
import { STABLE_DIFFUSION } from './family-rules.ts';
import type { Finding, JudgedSettings, Subject } from './finding.ts';
import type { Outcome } from './outcome.ts';
import { judge, outcomeOf, STRONG_MAX } from './outcome.ts';
import { SCHEDULER_RULES } from './scheduler-rules.ts';

/**
 * Rehearses what no table can list: runs with options, whose values are too many, runs from a picture, and those of a
 * model that was not trained with Stable Diffusion's noise. Expects settings in which no other rule has found an error.
 */
export function checkOutcome(subject: Subject): readonly Finding[] {
  const { options, settings, schedulerConfig } = subject;
  const { scheduler, strength } = settings;
  const asked = SAMPLER_OPTIONS.filter((option) => options[option] !== undefined);
  if (asked.length === 0 && strength === undefined && isTabulated(schedulerConfig)) return [];
  // The answers of a distilled model are no denoiser's.
  if (SCHEDULER_RULES[scheduler].distillation !== null) return [];
  const outcome = rehearseSubject(subject);
  const verdict = judge(outcome, strongMax(asked));
  if (verdict === 'GOOD') return [];
  const [first] = asked;
  const field =
    first === undefined ? [strength === undefined ? 'steps' : 'strength'] : ['samplerOptions', first];
  const fix = `${asked.length > 0 ? `Leave ${asked.join(' and ')} out, or use` : 'Use'} more steps or another sigma schedule.`;
  if (verdict === 'NOISE') {
    const message = `With these settings ${scheduler} would end in noise, even with a perfect model.`;
    return [{ code: 'ENDS_IN_NOISE', severity: 'ERROR', field, message, fix }];
  }
  const percent = Math.round(100 * outcome.strong);
  const message = `With these settings even a perfect model's picture would end off: at ${percent} % of its contrast, or with noise left in it.`;
  return [{ code: 'CONTRAST_OFF', severity: 'WARNING', field, message, fix }];
}

function strongMax(asked: readonly SamplerOption[]): number {
  return asked.length > 0 ? STRONG_MAX.asked : STRONG_MAX.named;
}

/** Whether the tables of step counts were measured with the noise of this record. */
function isTabulated({ zeroTerminalSnr, ...config }: SchedulerConfig): boolean {
  const isTrained = (['betaStart', 'betaEnd', 'betaSchedule', 'trainTimesteps'] as const).every(
    (field) => config[field] === STABLE_DIFFUSION[field],
  );
  return isTrained && !zeroTerminalSnr;
}

/**
 * A run of more steps than this ends where one of this many does, but for what no eye sees. A rehearsal takes time with
 * the square of the steps where each of them draws noise: 999 steps of DPM_SOLVER_SDE took 300 ms.
 */
const STEPS_MAX = 100;

function rehearseSubject({ schedulerConfig, settings, options }: Subject): Outcome {
  const { scheduler, sigmaSchedule, strength = 1 } = settings;
  const steps = rehearsedSteps(settings, options);
  const plan = planSchedule(scheduler, steps, { config: schedulerConfig, sigmaSchedule, options, strength });
  return outcomeOf(scheduler, plan, strength < 1 ? 'PICTURE' : 'NOISE');
}

/** All of a list, and all where a strength would leave nothing of fewer. */
function rehearsedSteps(
  { steps, strength = 1 }: JudgedSettings,
  { timesteps, sigmas }: SamplerOptions,
): number {
  const isWhole = timesteps !== undefined || sigmas !== undefined || Math.trunc(STEPS_MAX * strength) < 1;
  return isWhole ? steps : Math.min(steps, STEPS_MAX);
}

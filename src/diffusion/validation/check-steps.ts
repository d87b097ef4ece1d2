import { isCurve } from '../schedulers/curves.ts';
import { DISTILLED_STEPS } from '../schedulers/distilled-timesteps.ts';
import { distillationsOf } from './check-distillation.ts';
import { familyRule } from './family-rules.ts';
import type { Finding, FindingCode, Subject } from './finding.ts';
import { error, warning } from './finding.ts';
import { SCHEDULER_RULES } from './scheduler-rules.ts';
import type { StepRange } from './step-range.ts';
import { boundsOf, stepRange } from './step-range.ts';

/** Models are trained on this many timesteps; more steps would only repeat them. */
const STEPS_MAX = 1000;

/** A number of steps that can run, then one that is worth while. */
export function checkSteps(subject: Subject): readonly Finding[] {
  const { settings, options, schedulerConfig } = subject;
  const { scheduler, sigmaSchedule, steps } = settings;
  const { min, max } = stepRange(scheduler, { config: schedulerConfig, sigmaSchedule, options });
  const most = Math.min(STEPS_MAX, max, distilledMax(subject));
  if (min > most && (options.timesteps ?? options.sigmas)) return [listTooLong(min, most)];
  const wrong = checkWhole('STEPS_OUT_OF_RANGE', 'steps', { value: steps, min, max: most });
  return wrong.length > 0 ? wrong : [...checkLeft(subject), ...checkUseful(subject), ...checkIdle(subject)];
}

function listTooLong(listed: number, most: number): Finding {
  const message = `The list is one of ${listed} steps; a run has at most ${most}.`;
  return error('STEPS_OUT_OF_RANGE', 'steps', { message, fix: `Shorten the list to ${most} steps.` });
}

/** A whole number of a range, or the finding that says so. */
export function checkWhole(
  code: FindingCode,
  field: 'steps' | 'imageCount',
  { value, min, max }: StepRange & { readonly value: number },
): readonly Finding[] {
  if (Number.isInteger(value) && value >= min && value <= max) return [];
  const nearest = Math.min(Math.max(Math.round(value) || 1, min), max);
  const range = min === max ? `${min}` : `a whole number from ${min} to ${max}`;
  const message = `${field} must be ${range}, not ${value}.`;
  return [error(code, field, { message, fix: `Use ${nearest}.` })];
}

/** A run from a picture picks its steps from those of the distillation that are left. */
function distilledMax({ settings: { scheduler, strength } }: Subject): number {
  if (SCHEDULER_RULES[scheduler].distillation === null || !isShare(strength)) return STEPS_MAX;
  return Math.max(Math.trunc(DISTILLED_STEPS * strength), 1);
}

/** A share of a run, where one is asked for. */
export function checkStrength({ settings: { strength } }: Subject): readonly Finding[] {
  if (strength === undefined || isShare(strength)) return [];
  const message = `strength must be a number above 0 and up to 1, not ${strength}.`;
  return [error('OPTION_INVALID', 'strength', { message, fix: 'Use 1.' })];
}

function checkLeft({ settings: { steps, strength } }: Subject): readonly Finding[] {
  if (!isShare(strength) || Math.trunc(steps * strength) >= 1) return [];
  const message = `A strength of ${strength} leaves none of ${steps} steps.`;
  return [error('STEPS_OUT_OF_RANGE', 'steps', { message, fix: `Use ${Math.ceil(1 / strength)}.` })];
}

function isShare(strength: number | undefined): strength is number {
  return strength !== undefined && strength > 0 && strength <= 1;
}

function checkUseful(subject: Subject): readonly Finding[] {
  const { scheduler, sigmaSchedule, steps } = subject.settings;
  const min = fewestUseful(subject);
  const max = mostUseful(subject);
  if (steps >= min && steps <= max) return [];
  const message =
    steps < min
      ? `${steps} ${steps === 1 ? 'step is' : 'steps are'} few for ${scheduler} with ${sigmaSchedule}: even a perfect model's picture would end too weak, too strong or noisy.`
      : `${steps} steps are more than ${scheduler} makes use of with ${subject.manifest.name}.`;
  const fix = steps < min ? `Use ${min} or more.` : `Use ${max} or fewer.`;
  return [warning('STEPS_UNUSUAL', 'steps', { message, fix })];
}

/** Distilled weights draw in the steps that they were distilled for, and how few is theirs to say. */
function fewestUseful({ manifest, schedulerConfig, settings, options }: Subject): number {
  const { scheduler, sigmaSchedule } = settings;
  if (options.timesteps || options.sigmas || familyRule(manifest.family).stepsMax !== null) return 1;
  return boundsOf(scheduler, { config: schedulerConfig, sigmaSchedule, options }).warned;
}

function mostUseful({ manifest, settings: { scheduler } }: Subject): number {
  const { stepsMax } = familyRule(manifest.family);
  const isDistilled = distillationsOf(manifest).some(
    (each) => each === SCHEDULER_RULES[scheduler].distillation,
  );
  const { max } = SCHEDULER_RULES[scheduler].steps;
  return stepsMax === null || isDistilled ? max : Math.min(stepsMax, max);
}

/** DEIS stops at a curve's last level, where it already is. SASolver does too, and corrects its last step with it. */
function checkIdle({ settings: { scheduler, sigmaSchedule } }: Subject): readonly Finding[] {
  if (scheduler !== 'DEIS_MULTISTEP' || !isCurve(sigmaSchedule)) return [];
  const message = `With ${sigmaSchedule}, the last evaluation of ${scheduler} changes nothing, and is paid for.`;
  const fix = 'Use DEFAULT, or DPM_SOLVER_MULTISTEP.';
  return [warning('EVALUATION_WASTED', 'sigmaSchedule', { message, fix })];
}

import type { Finding, Problem, Subject } from './finding.ts';
import type { SchedulerName } from '../names.ts';
import { unreadKnobs } from '../plan-schedule.ts';
import type { OptionDomain, SamplerOptions, SchedulerKnob } from '../sampler-options.ts';
import { OPTION_DOMAINS, READERS, SAMPLER_OPTIONS } from '../sampler-options.ts';

// With these the first evaluation divides by the signal that is left, and with a zero terminal SNR none is.
const DIVIDE_BY_SIGNAL: ReadonlySet<SchedulerName> = new Set(['DDIM', 'DDPM', 'LCM', 'TCD']);

/** What is wrong with the options of a sampler, and with what the model's record asks of it. */
export function checkOptions(subject: Subject): readonly Finding[] {
  return [
    ...checkRead(subject),
    ...checkZeroSignal(subject),
    ...checkValues(subject),
    ...checkLists(subject),
  ];
}

function finding(
  code: 'OPTION_UNSUPPORTED' | 'OPTION_INVALID',
  field: SchedulerKnob,
  problem: Problem,
): Finding {
  const path = field === 'zeroTerminalSnr' ? ['scheduler'] : ['samplerOptions', field];
  return { code, severity: 'ERROR', field: path, ...problem };
}

function checkRead({ schedulerConfig, settings, options }: Subject): readonly Finding[] {
  const { scheduler, sigmaSchedule } = settings;
  return unreadKnobs(scheduler, { config: schedulerConfig, sigmaSchedule, options }).map((knob) => {
    const names = READERS[knob].join(', ');
    const problem =
      knob === 'zeroTerminalSnr'
        ? {
            message: `${scheduler} cannot start from noise alone, as the model was trained to.`,
            fix: `Use one of ${names}.`,
          }
        : { message: `${scheduler} does not read ${knob}.`, fix: `Use one of ${names}, or leave it out.` };
    return finding('OPTION_UNSUPPORTED', knob, problem);
  });
}

function checkZeroSignal({ schedulerConfig, settings: { scheduler } }: Subject): readonly Finding[] {
  const { zeroTerminalSnr, predictionType } = schedulerConfig;
  if (!zeroTerminalSnr || predictionType !== 'epsilon' || !DIVIDE_BY_SIGNAL.has(scheduler)) return [];
  const message = `${scheduler} cannot tell noise from noise alone: the model predicts epsilon at a zero terminal SNR.`;
  const fix = 'Use EULER_DISCRETE, or a model that predicts v.';
  return [finding('OPTION_UNSUPPORTED', 'zeroTerminalSnr', { message, fix })];
}

function checkValues({ options }: Subject): readonly Finding[] {
  return SAMPLER_OPTIONS.flatMap((field) => {
    const value = options[field];
    const domain: OptionDomain = OPTION_DOMAINS[field];
    if (value === undefined || domain.kind === 'LIST') return [];
    if (domain.kind === 'CHOICE') {
      const fix = `Use one of ${domain.values.join(', ')}.`;
      const isKnown = domain.values.some((each) => each === value);
      return isKnown
        ? []
        : [finding('OPTION_INVALID', field, { message: `${field} cannot be ${value}.`, fix })];
    }
    const { min, max } = domain;
    if (typeof value === 'number' && value >= min && value <= max) return [];
    const message = `${field} must be a number from ${min} to ${max}, not ${value}.`;
    const fix = `Use ${typeof value === 'number' && value > max ? max : min}.`;
    return [finding('OPTION_INVALID', field, { message, fix })];
  });
}

function checkLists(subject: Subject): readonly Finding[] {
  const lists = (['timesteps', 'sigmas'] as const).filter((field) => subject.options[field] !== undefined);
  const { trainTimesteps } = subject.schedulerConfig;
  return lists.flatMap((field) => {
    const problem = rivalOf(field, subject) ?? listProblem(field, subject.options, trainTimesteps);
    return problem === null ? [] : [finding('OPTION_INVALID', field, problem)];
  });
}

/** A list is the whole answer to how noise is taken away. A model's defaults may name a curve that nobody asked for. */
function rivalOf(
  field: ListField,
  { settings: { sigmaSchedule }, options: { timesteps, sigmas, timestepSpacing } }: Subject,
): Problem | null {
  const isTwice = timesteps !== undefined && sigmas !== undefined;
  if (isTwice || timestepSpacing !== undefined) {
    const message = 'One of timesteps, sigmas and timestepSpacing says how noise is taken away.';
    return { message, fix: 'Leave the others out.' };
  }
  if (sigmaSchedule === 'DEFAULT') return null;
  const message = `${field} say how noise is taken away, and so does the sigma schedule ${sigmaSchedule}.`;
  return { message, fix: `Use the sigma schedule DEFAULT, or leave ${field} out.` };
}

const SIGMA_MAX = OPTION_DOMAINS.sigmas.max;

type ListField = 'timesteps' | 'sigmas';

function listProblem(field: ListField, options: SamplerOptions, trainTimesteps: number): Problem | null {
  const list = options[field] ?? [];
  const isFalling = list.every((value, i) => i === 0 || value < (list[i - 1] ?? value));
  const isFine = field === 'sigmas' ? areLevels(list) : areTimesteps(list, trainTimesteps);
  if (isFalling && isFine) return null;
  const message =
    field === 'sigmas'
      ? `sigmas must fall, from at most ${SIGMA_MAX} to 0 or more.`
      : `timesteps must be whole numbers that fall, from at most ${trainTimesteps - 1} to 0 or more.`;
  return { message, fix: 'Mend the list.' };
}

function areLevels(list: readonly number[]): boolean {
  const isLevel = (value: number, i: number) => value > 0 || (value === 0 && i === list.length - 1);
  return list.length > 1 && list.every((value, i) => isLevel(value, i) && value <= SIGMA_MAX);
}

function areTimesteps(list: readonly number[], trainTimesteps: number): boolean {
  const isTrained = (value: number) => Number.isInteger(value) && value >= 0 && value < trainTimesteps;
  return list.length > 0 && list.every(isTrained);
}

import type { SchedulerName } from './names.ts';
import type { SchedulerKnob } from './sampler-options.ts';
import { READERS, SAMPLER_OPTIONS } from './sampler-options.ts';
import { alignedTimesteps } from './schedulers/align-your-steps.ts';
import { schedulerOf } from './schedulers/registry.ts';
import type { PlanRequest, SchedulePlan } from './schedulers/scheduler.ts';
import { startAt } from './schedulers/scheduler.ts';

export interface ScheduleRequest extends PlanRequest {
  /** Share of the run that is left for an image to start from, 0 to 1; the whole run when it is left out. */
  readonly strength?: number;
}

/**
 * Lays out a run of `steps` steps with the scheduler of that name. Throws a `RangeError` for what `unreadKnobs`
 * names, and for a strength that leaves no step; expects what `validate` accepts in everything else.
 */
export function planSchedule(name: SchedulerName, steps: number, request: ScheduleRequest): SchedulePlan {
  const unread = unreadKnobs(name, request);
  if (unread.length > 0) throw new RangeError(`${name} has no ${unread.join(', ')}.`);
  const scheduler = schedulerOf(name);
  const { evaluationsPerStep } = scheduler;
  const plan = scheduler.plan(steps, resolve(steps, request));
  return startAt(plan, { steps, strength: request.strength ?? 1, evaluationsPerStep });
}

/** What the request asks of a scheduler that does not read it. */
export function unreadKnobs(
  name: SchedulerName,
  { config, options = {} }: PlanRequest,
): readonly SchedulerKnob[] {
  const asked: readonly SchedulerKnob[] = [
    ...SAMPLER_OPTIONS.filter((option) => options[option] !== undefined),
    ...(config.zeroTerminalSnr ? (['zeroTerminalSnr'] as const) : []),
  ];
  return asked.filter((knob) => !READERS[knob].includes(name));
}

/** The request as schedulers read it: spacing in the record, align-your-steps as timesteps. */
function resolve(steps: number, request: PlanRequest): PlanRequest {
  const { config, sigmaSchedule, options } = withSpacing(request);
  if (sigmaSchedule !== 'AYS') return { config, sigmaSchedule, options: options ?? {} };
  const timesteps = alignedTimesteps(steps, config);
  return { config, sigmaSchedule: 'DEFAULT', options: { ...options, timesteps } };
}

/** The request with the spacing that its options name in the place of the record's. */
export function withSpacing(request: PlanRequest): PlanRequest {
  const timestepSpacing = request.options?.timestepSpacing ?? request.config.timestepSpacing;
  return { ...request, config: { ...request.config, timestepSpacing } };
}

import type { Finding, SchedulerDescription, SchedulerName } from '../../diffusion/index.ts';
import {
  describeScheduler,
  evaluationsOf,
  resolveSettings,
  SCHEDULER_NAMES,
  validate,
} from '../../diffusion/index.ts';
import { DomainError } from '../../kernel/errors.ts';
import { once } from '../../kernel/once.ts';
import type { VariantVersion } from './variant.ts';

/** Whether a version of a model can use a scheduler. */
export interface SchedulerFit {
  readonly scheduler: SchedulerDescription;
  /** Why not; empty when it can. */
  readonly findings: readonly Finding[];
}

/** Every scheduler, in the order of their names' list. */
export const listSchedulers = once((): readonly SchedulerDescription[] =>
  SCHEDULER_NAMES.map(describeScheduler),
);

/** Every scheduler, held against the model's record. A version never changes, and nor does the answer. */
export function fitSchedulers({ manifest, schedulerConfig }: VariantVersion): readonly SchedulerFit[] {
  return listSchedulers().map((scheduler) => {
    const { name, steps } = scheduler;
    const settings = resolveSettings(manifest, { prompt: 'x', seed: 0n, scheduler: name, steps: steps.min });
    const findings = validate(manifest, schedulerConfig, settings).filter(
      ({ severity, field: [field] }) => severity === 'ERROR' && field === 'scheduler',
    );
    return { scheduler, findings };
  });
}

/** U-Net evaluations of a picture. Rejects with BAD_USER_INPUT for steps that no scheduler can run. */
export function countEvaluations(name: SchedulerName, steps: number): number {
  if (steps >= 1 && steps <= STEPS_MAX) return evaluationsOf(name, steps);
  throw new DomainError('BAD_USER_INPUT', `"steps" must lie between 1 and ${STEPS_MAX}.`, {
    field: ['steps'],
  });
}

/** As many as models have timesteps; that a scheduler or a curve takes fewer is told by a quote. */
const STEPS_MAX = 1_000;

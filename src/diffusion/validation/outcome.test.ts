import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readManifest, readSchedulerConfig } from '../../../test/parity/recorded.ts';
import type { Manifest } from '../../kernel/manifest.ts';
import type { SchedulerName, SigmaSchedule } from '../names.ts';
import { SCHEDULER_NAMES } from '../names.ts';
import { planSchedule } from '../plan-schedule.ts';
import type { SchedulerConfig } from '../schedulers/config.ts';
import { TIMESTEP_SPACINGS } from '../schedulers/config.ts';
import { isCurve } from '../schedulers/curves.ts';
import { schedulerOf } from '../schedulers/registry.ts';
import { resolveSettings } from '../settings.ts';
import type { Finding } from './finding.ts';
import type { Verdict } from './outcome.ts';
import { judge, outcomeOf } from './outcome.ts';
import { SCHEDULER_RULES } from './scheduler-rules.ts';
import { stepBounds } from './step-bounds.ts';
import { stepRange } from './step-range.ts';
import { validate } from './validate.ts';

const manifest = readManifest();

/** Stable Diffusion's record, and what other models have in its place. */
const RECORDS: readonly SchedulerConfig[] = [
  readSchedulerConfig(),
  readSchedulerConfig({ steps_offset: 0, set_alpha_to_one: true }),
  readSchedulerConfig({
    timestep_spacing: 'trailing',
    prediction_type: 'v_prediction',
    set_alpha_to_one: true,
  }),
  readSchedulerConfig({ timestep_spacing: 'linspace' }),
  readSchedulerConfig({ timestep_spacing: 'linspace', set_alpha_to_one: true }),
];

/** Each step count where they are few, and some beyond. */
const STEPS = [...Array.from({ length: 22 }, (_, i) => i + 1), 25, 28, 32, 35, 36, 50, 100];

const FULL_RANGE: ReadonlySet<SchedulerName> = new Set([
  'DPM_SOLVER_MULTISTEP',
  'DPM_SOLVER_SINGLESTEP',
  'DEIS_MULTISTEP',
  'UNI_PC_MULTISTEP',
  'SA_SOLVER',
]);

interface Combination {
  readonly scheduler: SchedulerName;
  readonly sigmaSchedule: SigmaSchedule;
  readonly config: SchedulerConfig;
}

const COMBINATIONS: readonly Combination[] = RECORDS.flatMap((config) =>
  SCHEDULER_NAMES.flatMap((scheduler) =>
    schedulerOf(scheduler).sigmaSchedules.map((sigmaSchedule) => ({ scheduler, sigmaSchedule, config })),
  ),
).filter(({ scheduler, sigmaSchedule, config }) => {
  // The curves of these span the whole training range, whatever the record says of spacing: one record does for all.
  const isFixed = sigmaSchedule === 'AYS' || (FULL_RANGE.has(scheduler) && isCurve(sigmaSchedule));
  return !isFixed || config === RECORDS[0];
});

function verdictOf({ scheduler, ...request }: Combination, steps: number): Verdict {
  return judge(outcomeOf(scheduler, planSchedule(scheduler, steps, request), 'NOISE'));
}

function findingsOf({ scheduler, sigmaSchedule, config }: Combination, steps: number): readonly Finding[] {
  const input = { prompt: 'an apple', seed: 0n, scheduler, sigmaSchedule, steps, guidanceScale: 2 };
  const model = { ...distilledFor(scheduler), predictionType: config.predictionType };
  return validate(model, config, resolveSettings(model, input));
}

function distilledFor(scheduler: SchedulerName): Manifest {
  const { distillation } = SCHEDULER_RULES[scheduler];
  return distillation === null ? manifest : { ...manifest, distilledFor: [distillation] };
}

function canPlan({ scheduler, ...request }: Combination, steps: number): boolean {
  return steps <= stepRange(scheduler, request).max;
}

/** A distilled model's answers are no denoiser's; what a perfect denoiser makes of them is judged by noise alone. */
function isJudged({ scheduler }: Combination): boolean {
  return SCHEDULER_RULES[scheduler].distillation === null;
}

describe('no schedule', () => {
  it('ends in noise, or visibly off, with a perfect model and without a finding', () => {
    const unnoticed = COMBINATIONS.flatMap((combination) =>
      STEPS.filter((steps) => canPlan(combination, steps)).flatMap((steps) => {
        const verdict = verdictOf(combination, steps);
        const severities = findingsOf(combination, steps).map(({ severity }) => severity);
        const isFine =
          verdict === 'GOOD' ||
          (verdict === 'NOISE' && severities.includes('ERROR')) ||
          (verdict === 'OFF' && (severities.length > 0 || !isJudged(combination)));
        return isFine ? [] : [{ ...combination, config: combination.config.timestepSpacing, steps, verdict }];
      }),
    );
    expect(unnoticed).toEqual([]);
  });

  it('is warned of for more steps than it is off for, whatever the spacing', () => {
    const rows = SCHEDULER_NAMES.filter((name) => SCHEDULER_RULES[name].distillation === null).flatMap(
      (scheduler) =>
        schedulerOf(scheduler).sigmaSchedules.flatMap((sigmaSchedule) =>
          TIMESTEP_SPACINGS.map((spacing) => ({ scheduler, sigmaSchedule, spacing })),
        ),
    );
    const loose = rows.filter(({ scheduler, sigmaSchedule, spacing }) => {
      const { warned } = stepBounds(scheduler, sigmaSchedule, spacing);
      const records = RECORDS.filter((record) => {
        const isLinspace = record.timestepSpacing === 'linspace';
        return spacing === 'linspace' || !isLinspace;
      });
      return records.every(
        (config) => verdictOf({ scheduler, sigmaSchedule, config }, warned - 1) === 'GOOD',
      );
    });
    expect(loose).toEqual([]);
  });

  it('is told to be useful from more steps than it is warned of', () => {
    for (const name of SCHEDULER_NAMES) {
      expect(SCHEDULER_RULES[name].steps.min).toBe(stepBounds(name, 'DEFAULT', 'leading').warned);
    }
  });
});

describe('bounds of steps', () => {
  it('are in order', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...COMBINATIONS),
        fc.constantFrom(...TIMESTEP_SPACINGS),
        (each, spacing) => {
          const { refused, warned } = stepBounds(each.scheduler, each.sigmaSchedule, spacing);
          expect(refused).toBeGreaterThanOrEqual(1);
          expect(warned).toBeGreaterThanOrEqual(refused);
        },
      ),
    );
  });
});

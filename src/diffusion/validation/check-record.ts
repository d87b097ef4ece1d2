import type { Manifest } from '../../kernel/manifest.ts';
import type { SchedulerConfig } from '../schedulers/config.ts';
import type { FamilyRule } from './family-rules.ts';
import { familyRule } from './family-rules.ts';
import type { Finding, Problem, Subject } from './finding.ts';

/**
 * What a model's files say of its training against what its family was trained with, and against each other. A record
 * that is wrong here gives pictures that are wrong quietly: one loader of diffusers has written betas of 0.02 to 0.085
 * in the place of 0.00085 to 0.012.
 */
export function checkRecord({ manifest, schedulerConfig }: Subject): readonly Finding[] {
  const rule = familyRule(manifest.family);
  return [
    ...checkBetas(manifest, schedulerConfig, rule),
    ...checkPredictions(manifest, schedulerConfig, rule),
    ...checkSpacing(manifest, schedulerConfig, rule),
  ].map((problem) => ({
    code: 'MODEL_RECORD_INVALID',
    severity: 'ERROR',
    field: ['variantId'],
    ...problem,
  }));
}

const FIELDS = {
  betaStart: 'beta_start',
  betaEnd: 'beta_end',
  betaSchedule: 'beta_schedule',
  trainTimesteps: 'num_train_timesteps',
} as const;

function checkBetas(
  { family }: Manifest,
  config: SchedulerConfig,
  { betas }: FamilyRule,
): readonly Problem[] {
  if (betas === null) return [];
  return (['betaStart', 'betaEnd', 'betaSchedule', 'trainTimesteps'] as const)
    .filter((each) => config[each] !== betas[each])
    .map((each) =>
      contradiction(FIELDS[each], {
        says: config[each],
        expected: [betas[each]],
        by: `the family ${family}`,
      }),
    );
}

function checkPredictions(
  { family, predictionType }: Manifest,
  config: SchedulerConfig,
  { predictionTypes }: FamilyRule,
): readonly Problem[] {
  const says = config.predictionType;
  if (says !== predictionType) {
    return [contradiction('prediction_type', { says, expected: [predictionType], by: 'manifest.json' })];
  }
  if (predictionTypes.includes(says)) return [];
  return [contradiction('prediction_type', { says, expected: predictionTypes, by: `the family ${family}` })];
}

function checkSpacing(
  { family }: Manifest,
  { timestepSpacing }: SchedulerConfig,
  { spacings }: FamilyRule,
): readonly Problem[] {
  if (timestepSpacing === undefined || spacings.includes(timestepSpacing)) return [];
  const says = timestepSpacing;
  return [contradiction('timestep_spacing', { says, expected: spacings, by: `the family ${family}` })];
}

interface Contradiction {
  readonly says: string | number;
  readonly expected: readonly (string | number)[];
  readonly by: string;
}

function contradiction(field: string, { says, expected, by }: Contradiction): Problem {
  return {
    message: `scheduler_config.json says ${field} ${says}, and ${by} has ${expected.join(' or ')}.`,
    fix: `Make ${field} what the model was trained with.`,
  };
}

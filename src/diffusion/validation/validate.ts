import type { Manifest } from '../../kernel/manifest.ts';
import type { SamplerOptions } from '../sampler-options.ts';
import type { SchedulerConfig } from '../schedulers/config.ts';
import { checkDistillation } from './check-distillation.ts';
import { checkGuidance } from './check-guidance.ts';
import { checkOptions } from './check-options.ts';
import { checkOutcome } from './check-outcome.ts';
import { checkRecord } from './check-record.ts';
import { checkClipSkip, checkCurve, checkPrediction } from './check-scheduler.ts';
import { checkSize } from './check-size.ts';
import { checkSteps, checkStrength, checkWhole } from './check-steps.ts';
import { checkNegativePrompt, checkPrompt } from './check-text.ts';
import type { Finding, JudgedSettings, Rule, Subject } from './finding.ts';
import { error } from './finding.ts';

/** The largest batch that the engines are built for, so that a job's pictures can run side by side. */
const IMAGE_COUNT_MAX = 8;

const SEED_MAX = 2n ** 64n - 1n;

const RULES: readonly Rule[] = [
  checkRecord,
  checkPrompt,
  checkNegativePrompt,
  checkSize,
  checkSteps,
  checkStrength,
  checkGuidance,
  checkDistillation,
  checkPrediction,
  checkCurve,
  checkOptions,
  checkClipSkip,
  checkSeed,
  checkImageCount,
];

/**
 * Everything that is wrong with `settings` and `options` for this bundle, in the order of the input's fields; empty
 * when they can run and nothing is to be said against it. Never throws.
 *
 * What passes without a finding ends in a picture: the runs of a perfect model say so, in the tables of step counts
 * and, where there are options, in a rehearsal.
 */
export function validate(
  manifest: Manifest,
  schedulerConfig: SchedulerConfig,
  settings: JudgedSettings,
  options: SamplerOptions = {},
): readonly Finding[] {
  const subject = { manifest, schedulerConfig, settings, options };
  const findings = RULES.flatMap((rule) => rule(subject));
  const canRun = findings.every(({ severity }) => severity === 'WARNING');
  return canRun ? [...findings, ...checkOutcome(subject)] : findings;
}

function checkImageCount({ settings: { imageCount } }: Subject): readonly Finding[] {
  const range = { min: 1, max: IMAGE_COUNT_MAX };
  return checkWhole('IMAGE_COUNT_OUT_OF_RANGE', 'imageCount', { value: imageCount, ...range });
}

function checkSeed({ settings: { seed } }: Subject): readonly Finding[] {
  if (seed >= 0n && seed <= SEED_MAX) return [];
  const message = `seed must be a whole number from 0 to ${SEED_MAX}, not ${seed}.`;
  return [error('SEED_OUT_OF_RANGE', 'seed', { message, fix: `Use ${seed < 0n ? 0n : SEED_MAX}.` })];
}

import { isGuided } from '../guidance.ts';
import { distillationsOf } from './check-distillation.ts';
import { familyRule } from './family-rules.ts';
import type { Finding, Subject } from './finding.ts';
import { error, warning } from './finding.ts';

/** Distillation puts guidance into the weights; more than a little on top burns the picture. */
const DISTILLED_GUIDANCE_MAX = 2;

export function checkGuidance(subject: Subject): readonly Finding[] {
  const { manifest, settings } = subject;
  const { guidanceScale } = settings;
  const { guidanceMax } = familyRule(manifest.family);
  if (guidanceScale >= 0 && guidanceScale <= guidanceMax) return checkUsual(subject);
  const message = `guidanceScale must be a number from 0 to ${guidanceMax} with ${manifest.name}, not ${guidanceScale}.`;
  const fix = `Use ${guidanceScale > guidanceMax ? guidanceMax : 0}.`;
  return [error('GUIDANCE_OUT_OF_RANGE', 'guidanceScale', { message, fix })];
}

function checkUsual({ manifest, settings: { guidanceScale } }: Subject): readonly Finding[] {
  const { usualGuidanceMax, stepsMax } = familyRule(manifest.family);
  const isDistilled = stepsMax !== null || distillationsOf(manifest).length > 0;
  const max = isDistilled ? Math.min(usualGuidanceMax, DISTILLED_GUIDANCE_MAX) : usualGuidanceMax;
  if (guidanceScale <= max || !isGuided(guidanceScale)) return [];
  const message = isDistilled
    ? `${manifest.name} has guidance in its weights; a scale of ${guidanceScale} on top of it burns the picture.`
    : `A guidance scale of ${guidanceScale} is far beyond what ${manifest.name} is used with: colours saturate and shapes break.`;
  return [warning('GUIDANCE_UNUSUAL', 'guidanceScale', { message, fix: `Use ${max} or less.` })];
}

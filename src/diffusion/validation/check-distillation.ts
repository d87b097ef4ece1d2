import type { Distillation, Manifest } from '../../kernel/manifest.ts';
import { familyRule } from './family-rules.ts';
import type { Finding, Subject } from './finding.ts';
import { error, warning } from './finding.ts';
import { SCHEDULER_RULES } from './scheduler-rules.ts';

/** What a model was distilled for, by its family and by its own word. */
export function distillationsOf({ family, distilledFor = [] }: Manifest): readonly Distillation[] {
  return [...familyRule(family).distilledFor, ...distilledFor];
}

/** A scheduler for distilled models wants one, and a distilled model wants its scheduler. */
export function checkDistillation({ manifest, settings: { scheduler } }: Subject): readonly Finding[] {
  const { distillation } = SCHEDULER_RULES[scheduler];
  const has = distillationsOf(manifest);
  if (distillation !== null && !has.includes(distillation)) {
    const message = `${scheduler} is made for models that were distilled to draw in few steps, and ${manifest.name} was not: it would not draw what it has learnt.`;
    const fix = `Use ${has[0] ?? 'DPM_SOLVER_MULTISTEP'}, or a model that was distilled for ${distillation}.`;
    return [error('DISTILLATION_MISSING', 'scheduler', { message, fix })];
  }
  if (has.length === 0 || distillation !== null) return [];
  const message = `${manifest.name} was distilled for ${has.join(' and ')}; with ${scheduler} its pictures come out hard and overdrawn.`;
  return [warning('DISTILLATION_UNUSED', 'scheduler', { message, fix: `Use ${has.join(' or ')}.` })];
}

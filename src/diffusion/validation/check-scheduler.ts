import type { SchedulerName } from '../names.ts';
import { SCHEDULER_NAMES, SIGMA_SCHEDULES } from '../names.ts';
import { schedulerOf } from '../schedulers/registry.ts';
import type { Finding, Subject } from './finding.ts';
import { error } from './finding.ts';

export function checkPrediction({ schedulerConfig, settings: { scheduler } }: Subject): readonly Finding[] {
  const { predictionType } = schedulerConfig;
  const works = (each: SchedulerName) => schedulerOf(each).predictionTypes.includes(predictionType);
  if (works(scheduler)) return [];
  const message = `${scheduler} cannot run a model that predicts ${predictionType}.`;
  const fix = `Use one of ${SCHEDULER_NAMES.filter(works).join(', ')}.`;
  return [error('PREDICTION_UNSUPPORTED', 'scheduler', { message, fix })];
}

export function checkCurve({ settings: { scheduler, sigmaSchedule } }: Subject): readonly Finding[] {
  const accepted = schedulerOf(scheduler).sigmaSchedules;
  if (accepted.includes(sigmaSchedule)) return [];
  const message = `${scheduler} cannot follow the sigma schedule ${sigmaSchedule}.`;
  const fix = `Use one of ${SIGMA_SCHEDULES.filter((each) => accepted.includes(each)).join(', ')}.`;
  return [error('SIGMA_SCHEDULE_UNSUPPORTED', 'sigmaSchedule', { message, fix })];
}

export function checkClipSkip({ manifest, settings: { clipSkip } }: Subject): readonly Finding[] {
  if (Object.hasOwn(manifest.clipSkip, clipSkip)) return [];
  const message = `${manifest.name} has no clip skip ${clipSkip}.`;
  const fix = `Use one of ${Object.keys(manifest.clipSkip).join(', ')}.`;
  return [error('CLIP_SKIP_UNSUPPORTED', 'clipSkip', { message, fix })];
}

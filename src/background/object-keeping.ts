import type { Retention } from '../domains/generation/index.ts';
import type { Clock } from '../kernel/clock.ts';
import type { FailureLog } from '../kernel/outage.ts';
import type { ObjectStore } from '../platform/objects/index.ts';

export interface ObjectKeepingDeps {
  readonly objects: Pick<ObjectStore, 'delete' | 'list'>;
  readonly retention: Retention;
  readonly clock: Clock;
  readonly settings: ObjectKeepingSettings;
  readonly logger: Pick<FailureLog, 'info' | 'failed'>;
}

/** How often objects are looked after, in milliseconds. */
export interface ObjectKeepingSettings {
  /** How long a picture may outlive its time. */
  readonly expireEveryMs: number;
  /** Between two steps of a walk through the store. */
  readonly orphanStepEveryMs: number;
  /** From the end of one walk to the beginning of the next. */
  readonly orphanWalkEveryMs: number;
  /** How old an object is at least that nobody is still at work on, whatever the clocks say. */
  readonly orphanAgeMs: number;
}

const HOUR_MS = 60 * 60_000;

export const DEFAULT_OBJECT_KEEPING_SETTINGS: ObjectKeepingSettings = {
  expireEveryMs: 60_000,
  orphanStepEveryMs: 10_000,
  orphanWalkEveryMs: 12 * HOUR_MS,
  // A dispatcher tries to store for minutes and holds its lease meanwhile, which is what decides; the day is
  // for clocks that disagree.
  orphanAgeMs: 24 * HOUR_MS,
};

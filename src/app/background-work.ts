import type { BackgroundSettings, ObjectKeepingSettings } from '../background/index.ts';
import {
  DEFAULT_BACKGROUND_SETTINGS,
  DEFAULT_OBJECT_KEEPING_SETTINGS,
  startBackground,
  startObjectKeeping,
} from '../background/index.ts';
import { createBell } from '../backends/bells/index.ts';
import { createRetention } from '../domains/generation/index.ts';
import type { Clock } from '../kernel/clock.ts';
import type { NewId } from '../kernel/ids.ts';
import type { FailureLog } from '../kernel/outage.ts';
import type { Db } from '../platform/db/index.ts';
import type { ObjectStore } from '../platform/objects/index.ts';

/** What a test may want otherwise. */
export interface BackgroundOverrides {
  readonly background?: Partial<BackgroundSettings>;
  readonly objectKeeping?: Partial<ObjectKeepingSettings>;
}

export interface BackgroundWorkDeps {
  /** A pool of `darkroom_system`. */
  readonly systemDb: Db;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly log: FailureLog;
}

/** Starts all that happens without anybody asking; disposing of `stack` ends it. */
export function startBackgroundWork(
  { systemDb, objects, clock, newId, log: logger }: BackgroundWorkDeps,
  { background, objectKeeping }: BackgroundOverrides,
  stack: AsyncDisposableStack,
): void {
  const bell = stack.use(createBell({ db: systemDb, clock, logger }));
  const settings = { ...DEFAULT_BACKGROUND_SETTINGS, ...background };
  stack.use(startBackground({ systemDb, bell, newId, clock, logger, settings }));
  stack.use(
    startObjectKeeping({
      objects,
      retention: createRetention(systemDb),
      clock,
      settings: { ...DEFAULT_OBJECT_KEEPING_SETTINGS, ...objectKeeping },
      logger,
    }),
  );
}

import type { ListedObject } from '../platform/objects/index.ts';
import type { ObjectKeepingDeps } from './object-keeping.ts';

// Half a page of S3's listing: one query, and at worst as many deletes.
const STEP_OBJECTS_MAX = 500;

/** Looks through the store, step by step, for what attempts left behind that were cut off. */
export interface OrphanCollector {
  /**
   * Looks at the next few hundred objects and deletes the orphans among them; true at the end of the store, where the
   * next step begins from the start. Rejects when store or database do, and then begins from the start, too.
   */
  step(): Promise<boolean>;
}

type Deps = Pick<ObjectKeepingDeps, 'objects' | 'retention' | 'clock' | 'settings' | 'logger'>;

export function createOrphanCollector(deps: Deps): OrphanCollector {
  const { objects, retention, clock, settings, logger } = deps;
  let walk: AsyncIterator<ListedObject> | null = null;

  async function collect(): Promise<boolean> {
    walk ??= objects.list('')[Symbol.asyncIterator]();
    const { keys, isOver } = await nextOld(walk, clock.nowMs() - settings.orphanAgeMs);
    const orphans = await retention.unnamed(keys);
    for (const key of orphans) await objects.delete(key);
    if (orphans.length > 0)
      logger.info({ objects: orphans.length }, 'deleted objects that no picture leads to');
    return isOver;
  }

  return {
    async step() {
      let isOver = true;
      try {
        isOver = await collect();
        return isOver;
      } finally {
        if (isOver) walk = null;
      }
    },
  };
}

/** The keys of those among the next objects that were stored before `beforeMs`. */
async function nextOld(
  walk: AsyncIterator<ListedObject>,
  beforeMs: number,
): Promise<{ readonly keys: readonly string[]; readonly isOver: boolean }> {
  const keys: string[] = [];
  for (let seen = 0; seen < STEP_OBJECTS_MAX; seen += 1) {
    const next = await walk.next();
    if (next.done) return { keys, isOver: true };
    if (next.value.modifiedAt.getTime() < beforeMs) keys.push(next.value.key);
  }
  return { keys, isOver: false };
}

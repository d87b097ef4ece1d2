import type { Db } from '../../platform/db/index.ts';
import { asPlatform } from '../tenancy/index.ts';
import { parseImageKey } from './image-keys.ts';
import type { DoomedImage } from './retention-store.ts';
import { listDoomed, listUnnamed, markDeleted, markExpired } from './retention-store.ts';

export type { DoomedImage } from './retention-store.ts';

export type Retention = ReturnType<typeof createRetention>;

/**
 * What is kept of pictures, and for how long. A picture that expires is marked before anything of it is
 * deleted, so that nobody is given a link to what is not there. `systemDb` is a pool of `darkroom_system`.
 */
export function createRetention(systemDb: Db) {
  return {
    /** Expires up to `limit` pictures that are older than their tenant keeps them, and tells how many. */
    expire: (limit: number): Promise<number> => asPlatform(systemDb, (tx) => markExpired(tx, limit)),

    /** Up to `limit` expired pictures whose objects are to be deleted. */
    doomed: (limit: number): Promise<readonly DoomedImage[]> =>
      asPlatform(systemDb, (tx) => listDoomed(tx, limit)),

    /** Takes note that nothing of `images` is stored any more. */
    deleted: (images: readonly DoomedImage[]): Promise<void> =>
      asPlatform(systemDb, (tx) => markDeleted(tx, images)),

    /** Those of the objects under `keys` that attempts left behind which are over, and that no picture leads to. */
    async unnamed(keys: readonly string[]): Promise<readonly string[]> {
      const objects = keys.flatMap((key) => {
        const attempt = parseImageKey(key);
        return attempt === null ? [] : [{ ...attempt, key }];
      });
      return objects.length === 0 ? [] : asPlatform(systemDb, (tx) => listUnnamed(tx, objects));
    },
  };
}

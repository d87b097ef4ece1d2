import type { DoomedImage } from '../domains/generation/index.ts';
import type { ObjectKeepingDeps } from './object-keeping.ts';

// A hundred pictures are two hundred calls to the store, some seconds of work.
const BATCH_MAX = 100;
// More than a few objects that cannot be deleted are a store that is away, which is not asked a hundred times.
const FAILURES_MAX = 5;

type Deps = Pick<ObjectKeepingDeps, 'objects' | 'retention' | 'logger'>;

/**
 * Expires pictures and deletes their objects, batch by batch, until none is left or `signal` fires. Rejects
 * when the store refuses; what was marked by then is deleted next time.
 */
export async function expireImages(deps: Deps, signal: AbortSignal): Promise<void> {
  const { retention, logger } = deps;
  while (!signal.aborted) {
    await retention.expire(BATCH_MAX);
    const doomed = await retention.doomed(BATCH_MAX);
    if (doomed.length === 0) return;
    await deleteObjects(deps, doomed, signal);
    logger.info({ images: doomed.length }, 'deleted pictures that were older than their tenant keeps them');
  }
}

/** Goes on past a picture that cannot be deleted, and takes note of those that are gone. */
async function deleteObjects(
  { objects, retention }: Deps,
  doomed: readonly DoomedImage[],
  signal: AbortSignal,
): Promise<void> {
  const gone: DoomedImage[] = [];
  const failures: unknown[] = [];
  for (const image of doomed) {
    if (signal.aborted || failures.length === FAILURES_MAX) break;
    try {
      await objects.delete(image.objectKey);
      await objects.delete(image.thumbnailKey);
      gone.push(image);
    } catch (error) {
      failures.push(error);
    }
  }
  if (gone.length > 0) await retention.deleted(gone);
  if (failures.length > 0) throw failures[0];
}

import type { Tx } from './open-db.ts';

const SEED_LOCK = 72707371;

/**
 * Lets one transaction at a time make what an installation begins with; the others wait for its end, at
 * most as long as their role waits for a lock.
 */
export async function lockSeeding(tx: Tx): Promise<void> {
  await tx.$queryRaw`select pg_advisory_xact_lock(${SEED_LOCK})::text`;
}

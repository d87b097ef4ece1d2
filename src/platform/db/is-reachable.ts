import type { Db } from './open-db.ts';

/** Whether the database answers right now. Never rejects. */
export async function isReachable(db: Db): Promise<boolean> {
  return db.$queryRaw`select 1`.then(
    () => true,
    () => false,
  );
}

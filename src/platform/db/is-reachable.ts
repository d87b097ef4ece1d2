import { connect } from './connect.ts';
import type { Db } from './open-db.ts';

/** Whether the database answers right now. Never rejects. */
export async function isReachable(db: Db): Promise<boolean> {
  return db.$queryRaw`select 1`.then(
    () => true,
    () => false,
  );
}

/** Whether a login is let in right now, without a pool. Never rejects. */
export async function isServerReachable(url: string): Promise<boolean> {
  try {
    await using _ = await connect({ url, applicationName: 'darkroom start-up check' });
    return true;
  } catch {
    return false;
  }
}

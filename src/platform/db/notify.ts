import type { Db } from './open-db.ts';

/** Sends one notification on `channel`; `payload` is shorter than 8,000 bytes. Anyone may hear it. */
export async function notify(db: Db, channel: string, payload: string): Promise<void> {
  await db.$executeRaw`select pg_notify(${channel}, ${payload})`;
}

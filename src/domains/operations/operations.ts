import type { Db } from '../../platform/db/index.ts';
import type { Actor } from '../tenancy/index.ts';
import { asPlatform, requirePermission } from '../tenancy/index.ts';
import type { PlatformStats, ProcessReport } from './figures.ts';
import { combineFigures } from './figures.ts';
import { readQueueDepth, readReports } from './store.ts';

export interface OperationsDeps {
  /** A pool of `darkroom_app` or `darkroom_system`. */
  readonly db: Db;
  /** This process as it is right now: its row is seconds old. Null for one that only asks. */
  readonly own: (() => ProcessReport) | null;
}

/** What the platform looked like at one moment. */
export interface PlatformReport {
  readonly stats: PlatformStats;
  /** Every running process, this one included. */
  readonly processes: readonly ProcessReport[];
}

export type Operations = ReturnType<typeof createOperations>;

/** What those who run the platform ask it. */
export function createOperations({ db, own }: OperationsDeps) {
  /** For whoever has been let in already. Rejects with UNAVAILABLE when the database cannot be asked. */
  const report = async (): Promise<PlatformReport> => {
    const [queueDepth, written] = await asPlatform(db, async (tx) => [
      await readQueueDepth(tx),
      await readReports(tx),
    ]);
    const processes = withOwn(written, own?.() ?? null);
    return {
      stats: combineFigures(
        queueDepth,
        processes.map(({ figures }) => figures),
      ),
      processes,
    };
  };
  return {
    report,

    /** The figures of the platform. Rejects with FORBIDDEN, and with UNAVAILABLE as `report` does. */
    async stats(actor: Actor): Promise<PlatformStats> {
      requirePermission(actor, 'PLATFORM_READ');
      return (await report()).stats;
    },
  };
}

function withOwn(written: readonly ProcessReport[], own: ProcessReport | null): readonly ProcessReport[] {
  return own === null ? written : [...written.filter(({ id }) => id !== own.id), own];
}

import type { Tx } from '../../platform/db/index.ts';
import { combineFigures } from './figures.ts';
import { readEvaluationsAhead, readReports } from './store.ts';

/** What waits for the fleet and how fast it is: sums over all tenants, and nothing of any one. */
export interface FleetLoad {
  /** U-Net evaluations, a picture's each for itself, that open jobs have not finished. */
  readonly evaluationsAhead: number;
  /**
   * U-Net evaluations in a second of work, summed over the dispatchers that run and counted since each started; null
   * where none has done any.
   */
  readonly evaluationsPerSecond: number | null;
}

/** For any role that may read figures, in whatever transaction it has. */
export async function readLoad(tx: Tx): Promise<FleetLoad> {
  const reports = await readReports(tx);
  const { stepsPerSecond } = combineFigures(
    0,
    reports.map(({ figures }) => figures),
  );
  return { evaluationsAhead: await readEvaluationsAhead(tx), evaluationsPerSecond: stepsPerSecond };
}

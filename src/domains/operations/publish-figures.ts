import type { Clock } from '../../kernel/clock.ts';
import type { FailureLog } from '../../kernel/outage.ts';
import { repeat } from '../../kernel/repeat.ts';
import type { Db } from '../../platform/db/index.ts';
import { asPlatform } from '../tenancy/index.ts';
import type { ProcessReport } from './figures.ts';
import { removeFigures, writeFigures } from './store.ts';

export interface PublishDeps {
  /**
   * A pool of the login that the process has anyway: `darkroom_system` rather than `darkroom_dispatcher`
   * rather than `darkroom_app`, since the first alone may remove what dead processes of the others left.
   */
  readonly db: Db;
  readonly own: () => ProcessReport;
  readonly clock: Clock;
  readonly logger: Pick<FailureLog, 'info' | 'failed'>;
}

const PUBLISH_EVERY_MS = 2_000;

/**
 * Lets the other processes know this one's figures, every two seconds. What keeps it from that costs one
 * warning, however long it lasts. Disposing withdraws them, so that nobody counts a process that
 * has ended in good order; it never rejects.
 */
export function publishFigures({ db, own, clock, logger }: PublishDeps): AsyncDisposable {
  const stopping = new AbortController();
  let isAway = false;
  let isTold = false;

  const publish = async () => {
    try {
      await asPlatform(db, (tx) => writeFigures(tx, own()));
      if (isTold) logger.info({}, 'figures are published again');
      isAway = isTold = false;
    } catch (error) {
      if (!isTold) isTold = logger.failed(error, {}, 'figures cannot be published; it is tried again');
      isAway = true;
    }
    return PUBLISH_EVERY_MS;
  };

  const loop = repeat(publish, clock, stopping.signal);
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await loop;
      // Waiting for a database that is away would keep the process from ending. A row that is left
      // behind is ignored within seconds.
      if (isAway) return;
      await asPlatform(db, (tx) => removeFigures(tx, own())).catch(() => undefined);
    },
  };
}

import { expect, it } from 'vitest';
import { createManualClock, moveUntil } from '../../test/support/manual-clock.ts';
import { silentLog } from '../../test/support/silent-log.ts';
import { createIds } from '../kernel/ids.ts';
import { systemRandom } from '../kernel/random.ts';
import type { Db } from '../platform/db/index.ts';
import { DEFAULT_BACKGROUND_SETTINGS, startBackground } from './background.ts';

it('ends although its database has stopped answering', async () => {
  const clock = createManualClock();
  const background = startBackground({
    systemDb: { $transaction: () => new Promise(() => {}) } as unknown as Db,
    bell: { ring: async () => true },
    newId: createIds(clock, systemRandom),
    clock,
    settings: DEFAULT_BACKGROUND_SETTINGS,
    logger: silentLog,
  });
  await expect(moveUntil(clock, background[Symbol.asyncDispose]())).resolves.toBeUndefined();
  expect(clock.monotonicMs()).toBeLessThan(60_000);
});

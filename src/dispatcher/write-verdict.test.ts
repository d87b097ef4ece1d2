import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { silentLog } from '../../test/support/silent-log.ts';
import { createCompletion } from '../domains/generation/index.ts';
import { createScheduling } from '../domains/scheduling/index.ts';
import { unarmed } from '../kernel/fault-points.ts';
import type { Id } from '../kernel/ids.ts';
import { createIds } from '../kernel/ids.ts';
import { systemRandom } from '../kernel/random.ts';
import type { Db } from '../platform/db/index.ts';
import type { Verdict } from './verdict.ts';
import { writeVerdict } from './write-verdict.ts';

const END: Verdict = { kind: 'END', outcome: { state: 'CANCELLED', credits: 2 } };
const REQUEUE: Verdict = { kind: 'REQUEUE', counts: null, delayMs: 0 };
const away = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

/** What writes a verdict, on a database that fails as often as `failures` says. */
function openDeps(failures: readonly Error[]) {
  const clock = createManualClock();
  const left = [...failures];
  const transactions = { count: 0 };
  const $transaction = async () => {
    transactions.count += 1;
    const failure = left.shift();
    if (failure) throw failure;
    return true;
  };
  const shared = {
    dispatcherDb: { $transaction } as unknown as Db,
    bell: { ring: async () => true },
    newId: createIds(clock, systemRandom),
    reach: unarmed,
  };
  const logger = silentLog;
  const completion = createCompletion(shared);
  const scheduling = createScheduling(shared);
  return { deps: { completion, scheduling, clock, random: systemRandom, logger }, clock, transactions };
}

const ended = {
  tenantId: 'ten_A' as Id<'tenant'>,
  jobId: 'job_A' as Id<'job'>,
  fence: 1,
  step: 4,
  pending: [],
  nextSequence: 3,
};

const settled = () => new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));

describe('a verdict', () => {
  it.each([
    ['the end of a job', END],
    ['a place in the queue', REQUEUE],
  ])('that is %s is written once the database is back', async (_, verdict) => {
    const { deps, clock, transactions } = openDeps([away(), away(), away()]);
    const written = writeVerdict(deps, ended, verdict);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await settled();
      clock.advance(500);
    }
    await written;
    expect(transactions.count).toBe(4);
  });

  it.each([
    ['the end of a job', END, 30_000],
    ['a place in the queue', REQUEUE, 5_000],
  ])('that is %s is given up when the database stays away', async (_, verdict, patienceMs) => {
    const { deps, clock, transactions } = openDeps(Array.from({ length: 1_000 }, away));
    const written = expect(writeVerdict(deps, ended, verdict)).rejects.toThrow('cannot be reached');
    const steps = patienceMs / 500;
    for (let step = 0; step < steps; step += 1) {
      await settled();
      clock.advance(500);
    }
    const before = transactions.count;
    clock.advance(2_000);
    await written;
    expect(transactions.count).toBeLessThanOrEqual(before + 1);
  });

  it('that the database refuses for good is not written again', async () => {
    const { deps, transactions } = openDeps([new Error('violates a check')]);
    await expect(writeVerdict(deps, ended, END)).rejects.toThrow('violates a check');
    expect(transactions.count).toBe(1);
  });
});

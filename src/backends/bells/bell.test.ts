import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../../test/support/manual-clock.ts';
import { silentLog } from '../../../test/support/silent-log.ts';
import type { Db } from '../../platform/db/index.ts';
import { createBell } from './bell.ts';

/** A bell on a database whose notifications end as `notify` does. */
function openBell(notify: (payload: string) => Promise<number>) {
  const clock = createManualClock();
  const sent: string[] = [];
  const $executeRaw = (_: unknown, _channel: string, payload: string) => {
    sent.push(payload);
    return notify(payload);
  };
  const db = { $executeRaw } as unknown as Db;
  return { clock, sent, bell: createBell({ db, clock, logger: silentLog }) };
}

describe('a bell', () => {
  it('says of each ring whether it was sent, and rings what comes together once', async () => {
    const { bell, sent } = openBell(async (payload) => {
      if (payload.includes('lost')) throw new Error('away');
      return 1;
    });
    const rings = [bell.ring('a', 'x'), bell.ring('a', 'y'), bell.ring('b', 'lost')];
    expect(await Promise.all(rings)).toEqual([true, true, false]);
    expect(sent).toEqual(['x,y', 'lost']);
    expect(await bell.ring('a', 'x')).toBe(true);
  });

  it('waits at its end for what has been rung, and not for ever', async () => {
    const { bell, clock } = openBell(() => new Promise(() => {}));
    void bell.ring('a', 'x');
    let hasEnded = false;
    const ended = Promise.resolve(bell[Symbol.asyncDispose]()).then(() => {
      hasEnded = true;
    });
    await new Promise((resolve) => void setImmediate(resolve));
    expect(hasEnded).toBe(false);
    clock.advance(2_000);
    await ended;
  });
});

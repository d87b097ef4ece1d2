import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { createOutage } from './outage.ts';

const GONE = new Error('gone');

const failing = () => Promise.reject(GONE);

function outageOf() {
  const clock = createManualClock();
  const said: string[] = [];
  const say = (fields: object, message: string) => void said.push(`${message} ${JSON.stringify(fields)}`);
  const outage = createOutage({
    name: 'the server',
    isAway: (error) => error === GONE,
    clock,
    logger: { info: say, warn: say },
  });
  const fail = () => outage.watch(failing).catch(() => undefined);
  const serve = () => outage.watch(() => Promise.resolve());
  return { outage, clock, said, fail, serve };
}

const AWAY = 'the server is away; it is tried again {"reason":"gone"}';

describe('an outage', () => {
  it('is two lines, however many meet it', async () => {
    const { outage, clock, said, fail, serve } = outageOf();
    await serve();
    for (let turn = 0; turn < 5; turn++) {
      await Promise.all([fail(), fail()]);
      clock.advance(1_000);
    }
    expect([outage.isOn(), said]).toEqual([true, [AWAY]]);
    await Promise.all([serve(), serve()]);
    expect([outage.isOn(), said]).toEqual([false, [AWAY, 'the server is back {"awayMs":5000}']]);
  });

  it('is not over while the server still answers some', async () => {
    const { clock, said, fail, serve } = outageOf();
    await fail();
    await serve();
    clock.advance(100);
    await serve();
    await fail();
    clock.advance(499);
    await serve();
    expect(said).toEqual([AWAY]);
    clock.advance(1);
    await serve();
    expect(said).toEqual([AWAY, 'the server is back {"awayMs":600}']);
  });

  it('is not told again by what was asked before its end', async () => {
    const { outage, clock, said, fail, serve } = outageOf();
    await fail();
    const late = Promise.withResolvers<void>();
    const asked = outage.watch(() => late.promise).catch(() => undefined);
    clock.advance(2_000);
    await serve();
    late.reject(GONE);
    await asked;
    expect(said).toHaveLength(2);
    await fail();
    expect(said).toHaveLength(3);
  });

  it('is none when the server refuses, and passes on what it says', async () => {
    const { outage, said } = outageOf();
    const refusal = new Error('no');
    await expect(outage.watch(() => Promise.reject(refusal))).rejects.toBe(refusal);
    expect(await outage.watch(() => Promise.resolve(7))).toBe(7);
    expect([outage.isOn(), said]).toEqual([false, []]);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from './clock.ts';
import { systemClock } from './clock.ts';
import type { IdKind } from './ids.ts';
import { createIds, ID_PREFIXES, parseId, PLATFORM_ID } from './ids.ts';

const clockAt = (ms: number): Clock => ({ ...systemClock, nowMs: () => ms });
const kinds = Object.keys(ID_PREFIXES) as IdKind[];
const timeMs = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const tenBytes = fc.uint8Array({ minLength: 10, maxLength: 10 });

describe('ids', () => {
  it('parses what it makes, as its own kind only', () => {
    fc.assert(
      fc.property(timeMs, tenBytes, fc.constantFrom(...kinds), (ms, bytes, kind) => {
        const id = createIds(clockAt(ms), { bytes: () => bytes })(kind);
        expect(parseId(kind, id)).toBe(id);
        for (const other of kinds.filter((each) => each !== kind)) expect(parseId(other, id)).toBeNull();
      }),
    );
  });

  it('sorts by creation time as text', () => {
    fc.assert(
      fc.property(timeMs, timeMs, tenBytes, tenBytes, (a, b, first, second) => {
        fc.pre(a < b);
        const older = createIds(clockAt(a), { bytes: () => first })('job');
        const newer = createIds(clockAt(b), { bytes: () => second })('job');
        expect(older < newer).toBe(true);
      }),
    );
  });

  it('refuses what is not an id', () => {
    for (const text of [
      '',
      'job_',
      `job_${'8'.repeat(26)}`,
      `job_${'I'.repeat(26)}`,
      'job_0',
      `job_${'0'.repeat(27)}`,
    ]) {
      expect(parseId('job', text)).toBeNull();
    }
    expect(parseId('tenant', PLATFORM_ID)).toBe(PLATFORM_ID);
  });
});

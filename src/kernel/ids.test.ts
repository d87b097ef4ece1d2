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

  it('keeps the time that it was made at, and both ends of 128 bits', () => {
    const made = (ms: number, byte: number) =>
      createIds(clockAt(ms), { bytes: () => new Uint8Array(10).fill(byte) })('job');
    expect(made(0, 0)).toBe(`job_${'0'.repeat(26)}`);
    expect(made(2 ** 48 - 1, 255)).toBe(`job_7${'Z'.repeat(25)}`);
  });

  it('reads nothing that it could not have made: one character more, less or other than allowed', () => {
    const id = fc
      .tuple(timeMs, tenBytes)
      .map(([ms, bytes]) => createIds(clockAt(ms), { bytes: () => bytes })('job'));
    const character = fc.string({ unit: 'binary', minLength: 1, maxLength: 1 });
    fc.assert(
      fc.property(id, fc.nat({ max: 29 }), character, (text, at, other) => {
        const body = /^job_[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
        const changed = text.slice(0, at) + other + text.slice(at + 1);
        expect(parseId('job', changed)).toBe(changed.length === 30 && body.test(changed) ? changed : null);
        expect(parseId('job', text.slice(0, at) + other + text.slice(at))).toBeNull();
        expect(parseId('job', text.slice(0, at) + text.slice(at + 1))).toBeNull();
      }),
      { numRuns: 1_000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => void expect(parseId('job', text)).toBeNull()),
    );
    expect(parseId('job', `job_${'0'.repeat(26)}\n`)).toBeNull();
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

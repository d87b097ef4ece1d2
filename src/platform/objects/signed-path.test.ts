import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../kernel/clock.ts';
import { systemClock } from '../../kernel/clock.ts';
import type { SignOptions } from './object-store.ts';
import { EXPIRY_SECONDS_MAX } from './link-terms.ts';
import { signPath, verifyPath } from './signed-path.ts';

const nowMs = 1_800_000_000_000;
const clockAt = (ms: number): Clock => ({ ...systemClock, nowMs: () => ms });
const deps = { signingKey: new Uint8Array(32).fill(7), clock: clockAt(nowMs) };
const soon = new Date(nowMs + 300_000);

const keys = fc
  .array(fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}$/), { minLength: 1, maxLength: 4 })
  .map((segments) => segments.join('/'));
const options: fc.Arbitrary<SignOptions> = fc.record(
  {
    expiresAt: fc.integer({ min: 1_000, max: EXPIRY_SECONDS_MAX * 1000 }).map((ms) => new Date(nowMs + ms)),
    disposition: fc.constantFrom('inline' as const, 'attachment' as const),
    filename: fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}$/),
  },
  { requiredKeys: ['expiresAt', 'disposition'] },
);

describe('signed paths', () => {
  it('grant what was signed, and nothing with another method', () => {
    fc.assert(
      fc.property(keys, options, (key, signed) => {
        const path = signPath(deps, key, signed);
        const { disposition, filename = null } = signed;
        expect(verifyPath(deps, path, 'GET')).toEqual({ key, disposition, filename });
        for (const method of ['HEAD', 'PUT', 'DELETE', 'get', '']) {
          expect(verifyPath(deps, path, method)).toBeNull();
        }
      }),
    );
  });

  it('survive a URL parser unchanged', () => {
    fc.assert(
      fc.property(keys, options, (key, signed) => {
        const path = signPath(deps, key, signed);
        const { pathname, search } = new URL(path, 'http://127.0.0.1');
        expect(pathname + search).toBe(path);
      }),
    );
  });

  it('are refused when any character is changed, added or taken away', () => {
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      by: fc.string({ unit: 'binary', maxLength: 1 }),
    });
    fc.assert(
      fc.property(keys, options, edit, fc.boolean(), (key, signed, { at, by }, replaces) => {
        const path = signPath(deps, key, signed);
        const index = Math.floor(at * (path.length - 1));
        const changed = path.slice(0, index) + by + path.slice(index + (replaces ? 1 : 0));
        fc.pre(changed !== path);
        expect(verifyPath(deps, changed, 'GET')).toBeNull();
      }),
      { numRuns: 2_000 },
    );
  });

  it('are refused with each other spelling of the same signature', () => {
    const path = signPath(deps, 'a', { expiresAt: soon, disposition: 'inline' });
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=';
    const accepted = [...alphabet].filter(
      (last) => verifyPath(deps, path.slice(0, -1) + last, 'GET') !== null,
    );
    expect(accepted).toEqual([path.slice(-1)]);
    expect(verifyPath(deps, `${path}=`, 'GET')).toBeNull();
  });

  it('are refused with more parameters, other orders and encoded traversal', () => {
    const path = signPath(deps, 'a/b.png', { expiresAt: soon, disposition: 'inline', filename: 'b.png' });
    const [pathname = '', query = ''] = path.split('?');
    for (const changed of [
      `${path}&x=1`,
      `${pathname}?x=1&${query}`,
      `${pathname}?${query.split('&').toReversed().join('&')}`,
      path.replace('a/b', 'a/%62'),
      path.replace('a/b', 'a/../a/b'),
      path.replace('a/b', 'a/%2e%2e/a/b'),
      path.replace('a/b', 'a//b'),
      path.replace('/objects/', '/objects//'),
      path.replace('disposition=inline', 'disposition=attachment'),
      path.replace('&filename=b.png', ''),
      `http://127.0.0.1${path}`,
      pathname,
      '',
    ]) {
      expect(verifyPath(deps, changed, 'GET')).toBeNull();
    }
  });

  it('end at their expiry, to the second', () => {
    const path = signPath(deps, 'a', { expiresAt: soon, disposition: 'inline' });
    expect(verifyPath({ ...deps, clock: clockAt(soon.getTime() - 1) }, path, 'GET')).not.toBeNull();
    expect(verifyPath({ ...deps, clock: clockAt(soon.getTime()) }, path, 'GET')).toBeNull();
  });

  it('are refused by another key, and when they outlive the cap', () => {
    const path = signPath(deps, 'a', { expiresAt: soon, disposition: 'inline' });
    expect(verifyPath({ ...deps, signingKey: new Uint8Array(32).fill(8) }, path, 'GET')).toBeNull();
    const earlier = clockAt(nowMs - EXPIRY_SECONDS_MAX * 1000);
    expect(verifyPath({ ...deps, clock: earlier }, path, 'GET')).toBeNull();
  });

  it('carry no file name that a header could trip over', () => {
    for (const filename of ['', '.hidden', 'a b.png', 'a"b', 'a\r\nb', '../a', 'é.png', 'a'.repeat(129)]) {
      expect(() => signPath(deps, 'a', { expiresAt: soon, disposition: 'attachment', filename })).toThrow(
        expect.objectContaining({ code: 'INVALID_KEY' }),
      );
    }
  });
});

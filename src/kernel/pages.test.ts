import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCursor, toCursor } from './pages.ts';

const key = fc.string({ unit: 'binary' });
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('a cursor', () => {
  it('gives back the key that it was made of, from text that needs no escaping anywhere', () => {
    fc.assert(
      fc.property(key, (text) => {
        expect(parseCursor(toCursor(text))).toBe(text);
        expect(toCursor(text)).toMatch(/^[A-Za-z0-9_-]+$/);
      }),
    );
  });

  it('is different for different keys', () => {
    fc.assert(fc.property(key, key, (a, b) => void expect(toCursor(a) === toCursor(b)).toBe(a === b)));
  });

  it('is the only text that is read as its key: whatever is read was made, character for character', () => {
    const near = fc
      .tuple(key, fc.nat(), fc.constantFrom(...BASE64URL, '=', '+', '/', ' ', '\0', ''))
      .map(([text, at, other]) => {
        const cursor = toCursor(text);
        const place = at % (cursor.length + 1);
        return cursor.slice(0, place) + other + cursor.slice(place + 1);
      });
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ unit: 'binary' }), fc.base64String()), (text) => {
        const read = parseCursor(text);
        if (read !== null) expect(toCursor(read)).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });
});

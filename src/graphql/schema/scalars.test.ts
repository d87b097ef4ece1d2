import fc from 'fast-check';
import type { ValueNode } from 'graphql';
import { Kind } from 'graphql';
import { describe, expect, it } from 'vitest';
import { Credits } from './credits.ts';
import { DateTime } from './date-time.ts';
import { Seed } from './seed.ts';
import { Url } from './url.ts';

const REFUSED = /^(?:A (?:Seed|DateTime|Url) is|Credits are) /;

const literal = (kind: Kind.STRING | Kind.INT | Kind.FLOAT, value: string): ValueNode => ({ kind, value });

describe('Seed', () => {
  const seed = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

  it('takes every unsigned 64-bit number as text and gives the same text back', () => {
    fc.assert(
      fc.property(seed, (value) => {
        expect(Seed.parseValue(String(value))).toBe(value);
        expect(Seed.parseLiteral(literal(Kind.STRING, String(value)))).toBe(value);
        expect(Seed.parseLiteral(literal(Kind.INT, String(value)))).toBe(value);
        expect(Seed.serialize(value)).toBe(String(value));
      }),
    );
  });

  it('takes a number only where JSON holds it exactly', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(Seed.parseValue(value)).toBe(BigInt(value));
      }),
    );
    expect(() => Seed.parseValue(2 ** 53)).toThrow('A Seed is a whole number');
  });

  it('refuses everything else', () => {
    const outside = fc.oneof(fc.bigInt({ max: -1n }), fc.bigInt({ min: 2n ** 64n })).map(String);
    const other = fc
      .anything()
      .filter((each) => !/^\d+$/.test(typeof each === 'string' ? each : `x${typeof each}`));
    fc.assert(fc.property(outside, (value) => void expect(() => Seed.parseValue(value)).toThrow(REFUSED)));
    fc.assert(
      fc.property(other, (value) => {
        fc.pre(!Number.isSafeInteger(value) || Number(value) < 0);
        fc.pre(!Object.is(value, -0));
        expect(() => Seed.parseValue(value)).toThrow(REFUSED);
      }),
    );
    for (const text of ['', '-1', '01', '1.0', '1e3', ' 1', '0x1', '١'])
      expect(() => Seed.parseValue(text)).toThrow(REFUSED);
    expect(() => Seed.parseLiteral(literal(Kind.FLOAT, '1.5'))).toThrow(REFUSED);
  });
});

describe('DateTime', () => {
  it('comes back from its own text, to the millisecond', () => {
    const years = {
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(years), (at) => {
        expect(DateTime.parseValue(DateTime.serialize(at))).toEqual(at);
        expect(DateTime.parseLiteral(literal(Kind.STRING, DateTime.serialize(at)))).toEqual(at);
      }),
    );
  });

  it('takes an offset', () => {
    expect(DateTime.parseValue('2026-03-01T10:30:00+01:00')).toEqual(new Date('2026-03-01T09:30:00Z'));
  });

  it.each([
    '2026-03-01',
    '2026-03-01T09:30:00',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '1 March 2026',
    '2026-02-29T00:00:00Z',
    '2026-03-01T24:00:00Z',
    '2026-03-01T24:00:00+00:00',
    '2026-03-01T23:60:00Z',
    '2016-12-31T23:59:60Z',
    '2026-03-01T09:30:00+24:00',
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
    '-000001-01-01T00:00:00Z',
    '+010000-01-01T00:00:00Z',
    '',
    0,
    null,
  ])('refuses %j', (value) => {
    expect(() => DateTime.parseValue(value)).toThrow(REFUSED);
  });
});

describe('Credits', () => {
  it('are told and taken exactly, also beyond an Int', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(JSON.parse(JSON.stringify(Credits.serialize(value)))).toBe(Object.is(value, -0) ? 0 : value);
        expect(Credits.parseValue(value)).toBe(value);
        expect(Credits.parseLiteral(literal(Kind.INT, String(value)))).toBe(Object.is(value, -0) ? 0 : value);
      }),
    );
  });

  it('are never told rounded', () => {
    for (const value of [2 ** 53, -(2 ** 53), 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, null]) {
      expect(() => Credits.serialize(value)).toThrow(REFUSED);
      expect(() => Credits.parseValue(value)).toThrow(REFUSED);
    }
    expect(() => Credits.parseLiteral(literal(Kind.INT, '9007199254740993'))).toThrow(REFUSED);
    expect(() => Credits.parseLiteral(literal(Kind.STRING, '1'))).toThrow(REFUSED);
  });
});

describe('Url', () => {
  it('is absolute', () => {
    expect(Url.serialize('https://example.com/a?b=c')).toBe('https://example.com/a?b=c');
    for (const value of ['/objects/a', '', 7]) expect(() => Url.parseValue(value)).toThrow(REFUSED);
  });
});

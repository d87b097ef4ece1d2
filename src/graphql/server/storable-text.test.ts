import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findUnstorable } from './storable-text.ts';

const fine = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'));
const bad = fc.constantFrom('\0', 'a\0b', '\ud800', '\udc00a');

describe('findUnstorable', () => {
  it('passes whatever JSON holds of valid Unicode, combining marks and all', () => {
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        fine,
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value')),
        fc.dictionary(fine, tie('value')),
      ),
    })).value;
    fc.assert(fc.property(json, (value) => void expect(findUnstorable(value)).toBeNull()));
    expect(findUnstorable({ prompt: 'Z\u0351\u036b\u0343 👩‍👩‍👧 \u202e' })).toBeNull();
  });

  it('says where it found what Postgres cannot hold', () => {
    fc.assert(
      fc.property(fine, bad, fine, (before, text, after) => {
        expect(findUnstorable({ input: { metadata: [{ key: before }, { key: text, value: after }] } })).toBe(
          'input.metadata.1.key',
        );
      }),
    );
    expect(findUnstorable({ input: { 'a\0': 1 } })).toBe('input');
  });

  it('takes any depth', () => {
    let value: unknown = '\0';
    for (let i = 0; i < 50_000; i++) value = [value];
    expect(findUnstorable(value)).toMatch(/^0\.0\.0/);
  });
});

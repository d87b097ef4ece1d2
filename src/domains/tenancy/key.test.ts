import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../kernel/random.ts';
import { createKeyText, hashKey, isKeyText } from './key.ts';

describe('API keys', () => {
  it('carry their environment and pass their own check', () => {
    expect(createKeyText('LIVE', systemRandom)).toMatch(/^dk_live_[0-9A-Za-z]{36}$/);
    expect(createKeyText('TEST', systemRandom)).toMatch(/^dk_test_[0-9A-Za-z]{36}$/);
    expect(isKeyText(createKeyText('LIVE', systemRandom))).toBe(true);
  });

  it('are refused without a look-up when any one character is changed', () => {
    const key = createKeyText('LIVE', systemRandom);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: key.length - 1 }), fc.constantFrom(...'0aZ_-é'), (at, char) => {
        fc.pre(key.charAt(at) !== char);
        expect(isKeyText(key.slice(0, at) + char + key.slice(at + 1))).toBe(false);
      }),
    );
  });

  it('hash to something else under another pepper', () => {
    const key = createKeyText('LIVE', systemRandom);
    expect(hashKey(key, Buffer.from('a'))).not.toEqual(hashKey(key, Buffer.from('b')));
  });
});

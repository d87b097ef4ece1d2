import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { shellWord } from './shell-word.ts';

const readByShell = (text: string) =>
  execFileSync('sh', ['-c', `X=${shellWord(text)}\nprintf %s "$X"`], { encoding: 'utf8' });

it('is read by a shell as what it was', () => {
  const url = 'postgres://darkroom_app:s3cret@db:5432/darkroom?sslmode=verify-full&sslrootcert=/a b/$HOME';
  expect(readByShell(url)).toBe(url);
  const text = fc.string({ unit: fc.constantFrom(...`ab'"$&;|<>()*?[]{}~#!\\\` \n=:/@-`) });
  fc.assert(
    fc.property(text, (any) => readByShell(`x${any}x`) === `x${any}x`),
    { numRuns: 40 },
  );
});

it('is the same without quotes where it needs none, for readers that know none', () => {
  const url = 'postgres://darkroom_app:aB-_09@db.example.com:5432/darkroom?sslmode=require';
  expect(shellWord(url)).toBe(url);
});

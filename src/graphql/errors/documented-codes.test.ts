import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, isEnumType } from 'graphql';
import { expect, it } from 'vitest';
import { JOB_ERROR_CODES } from '../../domains/generation/job.ts';
import { REQUEST_ERROR_CODES, USER_ERROR_CODES } from '../../kernel/errors.ts';
import { REFUSALS } from '../../platform/http/errors.ts';

const ROOT = join(import.meta.dirname, '../../..');
const read = (...path: readonly string[]) => readFileSync(join(ROOT, ...path), 'utf8');

/** The codes in the table of docs/errors.md that begins with `heading`, from the column of that number. */
function documented(heading: RegExp, column: number): readonly string[] {
  const lines = read('docs/errors.md').split('\n');
  const start = lines.findIndex((line) => heading.test(line));
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'));
  return lines
    .slice(start + 2, end)
    .map((line) => /`([A-Z_]+)`/.exec(line.split('|')[column] ?? '')?.[1] ?? line);
}

function enumOf(name: string): readonly string[] {
  const type = buildSchema(read('schema.graphql')).getType(name);
  return isEnumType(type) ? type.getValues().map((value) => value.name) : [];
}

const sorted = (codes: Iterable<string>) => [...new Set(codes)].toSorted();

it('the codes of the API are those that are documented', () => {
  const codes = [...USER_ERROR_CODES, ...REQUEST_ERROR_CODES, 'INTERNAL'];
  expect(sorted(documented(/^\| code +\| means/, 1))).toEqual(sorted(codes));
});

it('every code of a refusal is given somewhere', () => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  const given = files
    .filter((file) => /(?<!\.test)\.ts$/.test(file) && !file.startsWith('generated'))
    .flatMap((file) => [...read('src', file).matchAll(/new DomainError\(\s*'([A-Z_]+)'/g)])
    .map(([, code = '']) => code);
  expect(sorted(given)).toEqual(sorted([...USER_ERROR_CODES, ...REQUEST_ERROR_CODES]));
});

it('the codes of jobs and of refused input are the same in schema, code and documentation', () => {
  expect(sorted(documented(/^\| `error\.code`/, 1))).toEqual(sorted(JOB_ERROR_CODES));
  expect(sorted(enumOf('JobErrorCode'))).toEqual(sorted(JOB_ERROR_CODES));
  expect(sorted(enumOf('JobUserErrorCode'))).toEqual(sorted(USER_ERROR_CODES));
});

it('the codes of requests that no route takes are those that are documented', () => {
  const codes = Object.values(REFUSALS).map(([code]) => code);
  expect(sorted(documented(/^\| HTTP +\| code/, 2))).toEqual(sorted(codes));
});

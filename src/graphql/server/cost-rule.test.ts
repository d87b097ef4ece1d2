import { buildSchema, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { costRule } from './cost-rule.ts';

const schema = buildSchema(`
  directive @listSize(assumedSize: Int, slicingArgument: String) on FIELD_DEFINITION
  type Query { things(first: Int = 20): Things @listSize(slicingArgument: "first") notes: [Note] @listSize(assumedSize: 5) }
  type Things { nodes: [Thing] }
  type Thing {
    id: ID
    parts(first: Int): Things @listSize(slicingArgument: "first")
    notes: [Note] @listSize(assumedSize: 5)
    tags: [ID] @listSize(assumedSize: 5)
  }
  type Note { text: ID thing: Thing }
`);

/** What the rule finds, read from its refusal. */
function costOf(query: string): number {
  const [error] = validate(schema, parse(query), [costRule(0)]);
  return Number(/answer (\d+|Infinity)/.exec(error?.message ?? '')?.[1]);
}

describe('the cost of an operation', () => {
  it.each([
    ['is one per field', '{ __typename }', 1],
    ['counts a page times its size', '{ things(first: 10) { nodes { id } } }', 1 + 10 * 2],
    ['takes the default size', '{ things { nodes { id } } }', 1 + 20 * 2],
    [
      'takes the largest page for a variable',
      'query ($n: Int) { things(first: $n) { nodes { id } } }',
      1 + 100 * 2,
    ],
    [
      'takes the largest page where there is no default',
      '{ things(first: 1) { nodes { parts { nodes { id } } } } }',
      3 + 100 * 2,
    ],
    [
      'takes a size out of range for the nearest in range',
      '{ things(first: 1000000) { nodes { id } } }',
      1 + 100 * 2,
    ],
    [
      'multiplies pages in pages',
      '{ things(first: 10) { nodes { parts(first: 10) { nodes { id } } } } }',
      1 + 10 * (2 + 10 * 2),
    ],
    ['counts a list times the size that it is expected to have', '{ notes { text } }', 1 + 5],
    ['counts a list of plain values as one', '{ things(first: 10) { nodes { tags } } }', 1 + 10 * 2],
    [
      'multiplies lists in lists and in pages',
      '{ things(first: 10) { nodes { notes { thing { notes { text } } } } } }',
      1 + 10 * (1 + 1 + 5 * (1 + 1 + 5)),
    ],
    [
      'counts a fragment where it is spread',
      '{ ...f ...f } fragment f on Query { things(first: 2) { nodes { id } } }',
      10,
    ],
    ['looks into inline fragments', '{ ... { things(first: 2) { nodes { id } } } }', 5],
    ['ends where a fragment spreads itself', '{ ...f } fragment f on Query { __typename ...f }', 1],
  ])('%s', (_what, query, cost) => {
    expect(costOf(query)).toBe(cost);
  });

  it('is counted without unrolling what multiplies', () => {
    const fragments = Array.from(
      { length: 200 },
      (_, i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`,
    );
    const query = `{ ...f0 } ${fragments.join(' ')} fragment f200 on Query { __typename }`;
    const [error] = validate(schema, parse(query), [costRule(10_000)]);
    expect(error?.message).toContain('10000 are allowed');
  });
});

import type { Row } from './hostile-shapes.ts';
import { asQuery, below, nest, SYNTAX } from './hostile-shapes.ts';

export const values: readonly Row[] = [
  [
    'lists 30,000 deep in a variable',
    ({ operation, field, leaf }) => `${operation} ($x: [Int]) { ${field} { ${leaf} @include(if: $x) } }`,
    /Variable "\$x"/,
    { variables: `{"x":${nest(30_000, '[', ']', '')}}` },
  ],
  [
    'a NUL in a string',
    ({ operation, field, leaf }) => `${operation} { ${field.replace('"1"', '"a\\u0000"')} { ${leaf} } }`,
    /holds a NUL/,
  ],
  [
    'half of a surrogate pair',
    ({ operation, field, leaf }) => `${operation} { ${field.replace('"1"', '"\\uD800"')} { ${leaf} } }`,
    /Invalid Unicode escape|surrogate/,
  ],
  [
    'a character beyond Unicode',
    ({ operation, field, leaf }) => `${operation} { ${field.replace('"1"', '"\\u{110000}"')} { ${leaf} } }`,
    SYNTAX,
  ],
  [
    'a NUL in a variable',
    ({ operation, field, leaf }) => `${operation} ($id: ID!) { ${field.replace('"1"', '$id')} { ${leaf} } }`,
    /holds a NUL/,
    { variables: '{"id":"a\\u0000"}' },
  ],
  [
    'a NUL in the name of a variable that nobody asks for',
    ({ operation, field, leaf }) => `${operation} { ${field} { ${leaf} } }`,
    /holds a NUL/,
    { variables: '{"a\\u0000":1}' },
  ],
  [
    'a string without an end',
    ({ operation, field, leaf }) => `${operation} { ${field.replace('"1"', '"1')} { ${leaf} } }`,
    SYNTAX,
  ],
  ['an Int of 2^31', asQuery('{ jobs(first: 2147483648) { nodes { id } } }'), /non 32-bit signed integer/],
  [
    'an Int of 5,000 digits',
    asQuery(`{ jobs(first: ${'9'.repeat(5_000)}) { nodes { id } } }`),
    /32-bit|too large/,
  ],
  ['a fraction for an Int', asQuery('{ jobs(first: 1.5) { nodes { id } } }'), /non-integer/],
  ['a number beyond a double', asQuery('{ jobs(first: 1e999) { nodes { id } } }'), /too large/],
  ['a number that begins with 0', asQuery('{ jobs(first: 010) { nodes { id } } }'), SYNTAX],
  [
    'an unknown enum value',
    asQuery('{ jobs(filter: { states: [LOST] }) { nodes { id } } }'),
    /does not exist in "JobState" enum/,
  ],
  [
    'an argument that is not there',
    ({ operation, field, leaf }) => `${operation} { ${field.replace(')', ', sql: "x")')} { ${leaf} } }`,
    /Unknown argument/,
  ],
  [
    'an argument left out',
    ({ operation, field, leaf }) => `${operation} { ${field.slice(0, field.indexOf('('))} { ${leaf} } }`,
    /is required/,
  ],
  [
    'a variable that nobody defines',
    ({ operation, field, leaf }) => `${operation} { ${field.replace('"1"', '$id')} { ${leaf} } }`,
    /is not defined/,
  ],
  [
    'a variable that nobody uses',
    ({ operation, field, leaf }) => `${operation} ($id: ID) { ${field} { ${leaf} } }`,
    /is never used/,
  ],
  [
    'a variable of an output type',
    ({ operation, field, leaf }) => `${operation} ($job: Job) { ${field} { ${leaf} } }`,
    /cannot be non-input type/,
  ],
  [
    'a variable of another type',
    ({ operation, field, leaf }) => `${operation} ($id: Int!) { ${field.replace('"1"', '$id')} { ${leaf} } }`,
    /used in position expecting type/,
  ],
  [
    'two variables of one name',
    ({ operation, field, leaf }) =>
      `${operation} ($id: ID!, $id: ID!) { ${field.replace('"1"', '$id')} { ${leaf} } }`,
    /only one variable named/,
  ],
  [
    'a default of another type',
    ({ operation, field, leaf }) =>
      `${operation} ($id: ID! = {}) { ${field.replace('"1"', '$id')} { ${leaf} } }`,
    /ID cannot represent/,
  ],
  ['a leaf with a selection', below(({ leaf }) => `${leaf} { x }`), /must not have a selection/],
  ['an object without one', ({ operation, field }) => `${operation} { ${field} }`, /must have a selection/],
  ['a field that is nearly there', below('creditz'), /Cannot query field "creditz" on type "\w+"\.$/],
  ['@defer', below(({ leaf }) => `... @defer { ${leaf} }`), /Unknown directive/],
  [
    'a directive of the schema',
    below(({ leaf }) => `${leaf} @requires(permission: JOBS_READ)`),
    /may not be used/,
  ],
];

export const characters: readonly Row[] = [
  ['a letter that only looks right', below('\u0456d'), SYNTAX],
  ['a zero-width space in a name', below('i\u200bd'), SYNTAX],
  ['text that runs the other way', below('\u202eid'), SYNTAX],
  ['braces of full width', ({ field }) => `\uff5b ${field} \uff5d`, SYNTAX],
  ['a NUL', below('id \0'), /^Syntax Error|NUL/],
  ['half of a surrogate pair outside a string', below('id \ud83c'), /^Syntax Error|surrogate/],
  ['bold letters', below('\u{1d422}\u{1d41d}'), SYNTAX],
  ['a request in another language', () => "'; drop table job; --", SYNTAX],
];

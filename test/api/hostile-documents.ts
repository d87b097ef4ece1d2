import { getIntrospectionQuery } from 'graphql';
import type { HostileDocument, Row, Written } from './hostile-shapes.ts';
import { asQuery, below, beside, nest, SUBSCRIPTION, SYNTAX, times } from './hostile-shapes.ts';
import { characters, values } from './hostile-values.ts';

const TOKENS = /more tha[nt] 1000 tokens/;
const ALIASES = /Aliases limit of 15 exceeded/;
const DIRECTIVES = /Directives limit of 5 exceeded/;
const DEPTH = /depth limit of 10 exceeded/i;
const COST = /could answer \S+ fields and 60000 are allowed/;
const INTROSPECTION = /introspection/i;
const WIDE = 'nodes { id images { id } events { type image { id } } }';

const amounts: readonly Row[] = [
  ['16 aliases', below(({ leaf }) => times(16, (i) => `a${i}: ${leaf}`)), ALIASES],
  ['200 aliases of __typename', below(times(200, (i) => `a${i}: __typename`)), ALIASES],
  ['1,000 aliases of __typename', below(times(1_000, (i) => `a${i}: __typename`)), TOKENS],
  ['3,000 aliases', below(({ leaf }) => times(3_000, (i) => `a${i}: ${leaf}`)), TOKENS],
  [
    'aliases of the root field',
    ({ operation, field, leaf }) => `${operation} { ${times(40, (i) => `a${i}: ${field} { ${leaf} }`)} }`,
    ALIASES,
  ],
  ['aliases in inline fragments', below(({ leaf }) => times(20, (i) => `... { a${i}: ${leaf} }`)), ALIASES],
  [
    'aliases in a fragment',
    beside('...f', ({ type, leaf }) => `fragment f on ${type} { ${times(20, (i) => `a${i}: ${leaf}`)} }`),
    ALIASES,
  ],
  [
    'aliases spread over fragments',
    beside(
      times(20, (i) => `...f${i}`),
      ({ type, leaf }) => times(20, (i) => `fragment f${i} on ${type} { a${i}: ${leaf} }`),
    ),
    ALIASES,
  ],
  [
    'aliases named as a prototype',
    below(
      ({ leaf }) => `__proto__: ${leaf} constructor: ${leaf} ${times(20, (i) => `toString${i}: ${leaf}`)}`,
    ),
    ALIASES,
  ],
  ['3,000 fields that are one', below(({ leaf }) => times(3_000, () => leaf)), TOKENS],
  ['3,000 directives', below(({ leaf }) => `${leaf} ${times(3_000, () => '@include(if: true)')}`), TOKENS],
  [
    '6 directives on a field',
    below(({ leaf }) => `${leaf} ${times(6, () => '@include(if: true)')}`),
    DIRECTIVES,
  ],
  [
    'directives spread over fields',
    below(({ leaf }) => times(12, () => `${leaf} @include(if: true)`)),
    DIRECTIVES,
  ],
  [
    'directives on inline fragments',
    below(({ leaf }) => times(12, () => `... @skip(if: false) { ${leaf} }`)),
    DIRECTIVES,
  ],
  [
    '300 directives that nobody knows',
    below(({ leaf }) => `${leaf} ${times(300, (i) => `@d${i}`)}`),
    DIRECTIVES,
  ],
  ['depth 11', below(nest(11, 'image { ', '} ', 'id ')), DEPTH],
  ['depth 300', below(nest(300, 'image { ', '} ', 'id ')), DEPTH],
  ['depth 500', below(nest(500, 'image { ', '} ', 'id ')), TOKENS],
  ['depth 8,000', below(nest(8_000, 'a{', '}', 'a')), TOKENS],
  [
    'depth by way of fragments',
    beside(
      '...f0',
      ({ type }) =>
        `${times(12, (i) => `fragment f${i} on ${type} { image { ...f${i + 1} } }`)} fragment f12 on ${type} { __typename }`,
    ),
    DEPTH,
  ],
  ['1,001 tokens', below(({ leaf }) => times(1_001, () => leaf)), TOKENS],
  ['40,000 brackets', () => '{'.repeat(40_000), SYNTAX],
  [
    'lists 400 deep',
    asQuery(`{ jobs(filter: { states: ${nest(400, '[', ']', '')} }) { nodes { id } } }`),
    /JobState/,
  ],
  [
    'lists 2,000 deep',
    asQuery(`{ jobs(filter: { states: ${nest(2_000, '[', ']', '')} }) { nodes { id } } }`),
    TOKENS,
  ],
  [
    'objects 150 deep',
    asQuery(`{ jobs(filter: ${nest(150, '{ metadata: ', '}', '{}')}) { nodes { id } } }`),
    /MetadataEntryInput/,
  ],
  [
    'pages of a million jobs, fifteen times',
    asQuery(`{ ${times(15, (i) => `a${i}: jobs(first: 1000000) { ${WIDE} }`)} }`),
    COST,
  ],
  [
    'pages whose size is a variable',
    asQuery(`($n: Int) { ${times(15, (i) => `a${i}: jobs(first: $n) { ${WIDE} }`)} }`),
    COST,
  ],
  [
    'pages in a fragment that is spread often',
    (host) =>
      `${asQuery(`{ ${times(20, () => '...f')} }`)(host)} fragment f on Query { jobs(first: 100) { ${WIDE} } }`,
    COST,
  ],
];

const bomb =
  (levels: number): Written =>
  ({ type, leaf }) =>
    `${times(levels, (i) => `fragment f${i} on ${type} { ...f${i + 1} ...f${i + 1} }`)} fragment f${levels} on ${type} { ${leaf} }`;

const fragments: readonly Row[] = [
  ['a fragment that doubles 20 times', beside('...f0', bomb(20)), COST],
  ['a fragment that doubles 60 times', beside('...f0', bomb(60)), COST],
  [
    'a fragment that spreads itself',
    beside('...a', ({ type }) => `fragment a on ${type} { ...a }`),
    /Cannot spread fragment "a" within itself/,
  ],
  [
    'fragments that go round',
    beside('...a', ({ type }) => `fragment a on ${type} { ...b } fragment b on ${type} { ...a }`),
    /within itself/,
  ],
  [
    'a hundred fragments that go round',
    beside('...f0', ({ type }) => times(100, (i) => `fragment f${i} on ${type} { ...f${(i + 1) % 100} }`)),
    /within itself/,
  ],
  [
    '120 fragments that nobody spreads',
    beside('__typename', ({ type }) => times(120, (i) => `fragment f${i} on ${type} { __typename }`)),
    /is never used/,
  ],
  [
    '1,000 fragments that nobody spreads',
    beside('__typename', ({ type }) => times(1_000, (i) => `fragment f${i} on ${type} { __typename }`)),
    TOKENS,
  ],
  ['a fragment that is not there', below('...nowhere'), /Unknown fragment/],
  ['a fragment on an unknown type', beside('...f', () => 'fragment f on Nothing { id }'), /Unknown type/],
  [
    'a fragment on an enum',
    beside('...f', () => 'fragment f on JobState { id }'),
    /cannot condition on non composite type/,
  ],
  [
    'a fragment on an input',
    beside('...f', () => 'fragment f on JobSubmitInput { prompt }'),
    /cannot condition on non composite type/,
  ],
  [
    'a fragment on what it cannot be',
    beside('...f', () => 'fragment f on Query { schedulers { name } }'),
    /can never be of type/,
  ],
  [
    'two fragments of one name',
    beside('...f', ({ type, leaf }) => times(2, () => `fragment f on ${type} { ${leaf} }`)),
    /only one fragment named/,
  ],
  [
    'a fragment named "on"',
    beside('__typename', ({ type, leaf }) => `fragment on on ${type} { ${leaf} }`),
    SYNTAX,
  ],
];

const operations: readonly Row[] = [
  [
    'an operation that is not there',
    below(({ leaf }) => leaf),
    /operationName/,
    { operationName: 'Nowhere' },
  ],
  [
    'an operation named as a prototype',
    below(({ leaf }) => leaf),
    /operationName/,
    { operationName: '__proto__' },
  ],
  [
    'two operations without a name',
    (host) => times(2, () => below(host.leaf)(host)),
    /anonymous operation must be the only/,
  ],
  [
    'two operations of one name',
    ({ operation, field, leaf }) => times(2, () => `${operation} A { ${field} { ${leaf} } }`),
    /only one operation named/,
  ],
  [
    'a hundred operations',
    ({ operation, field, leaf }) => times(100, (i) => `${operation} A${i} { ${field} { ${leaf} } }`),
    TOKENS,
  ],
  [
    'three operations, and none meant',
    ({ operation, field, leaf }) => times(3, (i) => `${operation} A${i} { ${field} { ${leaf} } }`),
    /operationName/,
  ],
  ['no operation', ({ type, leaf }) => `fragment f on ${type} { ${leaf} }`, /never used/],
  ['nothing but commas', () => ',,, # nothing\n,', SYNTAX],
  ['a schema', () => 'type Query { open: Int }', /not executable/],
  [
    'an extension of the schema',
    (host) => `${below(host.leaf)(host)} extend type Query { open: Int }`,
    /not executable/,
  ],
  [
    'a root field that is not there',
    ({ operation }) => `${operation} { everything }`,
    /Cannot query field "everything"/,
  ],
  [
    'a subscription to two things',
    () => `subscription { ${SUBSCRIPTION.field} { sequence } b: ${SUBSCRIPTION.field} { sequence } }`,
    /must select only one top level field/,
  ],
  [
    'a subscription to __typename',
    () => 'subscription { __typename }',
    /must not select an introspection top level field/,
  ],
];

const introspections: readonly Row[] = [
  ['the introspection query', () => getIntrospectionQuery(), INTROSPECTION],
  ['__schema', ({ operation }) => `${operation} { __schema { types { name } } }`, INTROSPECTION],
  ['__type', ({ operation }) => `${operation} { __type(name: "Job") { fields { name } } }`, INTROSPECTION],
  [
    'an alias of __schema',
    ({ operation }) => `${operation} { job: __schema { types { name } } }`,
    INTROSPECTION,
  ],
  [
    '__schema in an inline fragment',
    ({ operation }) => `${operation} { ... { __schema { types { name } } } }`,
    INTROSPECTION,
  ],
  [
    '__schema in a fragment',
    asQuery('{ ...f } fragment f on Query { __schema { types { name } } }'),
    INTROSPECTION,
  ],
  [
    '__schema behind @skip',
    asQuery('{ schedulers { name } __schema @skip(if: true) { types { name } } }'),
    INTROSPECTION,
  ],
  [
    '__schema behind a variable',
    asQuery('($yes: Boolean = true) { __schema @include(if: $yes) { types { name } } }'),
    INTROSPECTION,
  ],
  [
    '__type beside what is allowed',
    asQuery('{ schedulers { name } __type(name: "Job") { name } }'),
    INTROSPECTION,
  ],
];

export const HOSTILE_DOCUMENTS: readonly HostileDocument[] = [
  ...amounts,
  ...fragments,
  ...operations,
  ...introspections,
  ...values,
  ...characters,
].map(([what, write, told, more]) => ({ what, query: write, told, ...more }));

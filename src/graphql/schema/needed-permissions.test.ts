import { buildSchema, Kind, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import type { Permission } from '../../domains/tenancy/index.ts';
import { neededPermissions } from './needed-permissions.ts';

const schema = buildSchema(`
  enum Permission { JOBS_READ JOBS_WRITE VARIANTS_READ TENANT_READ PLATFORM_READ }
  directive @requires(permission: Permission!) on FIELD_DEFINITION
  type Query { open: Int }
  type Subscription { events: Event @requires(permission: JOBS_READ) }
  type Event { id: ID job: Job stats: Int @requires(permission: PLATFORM_READ) }
  type Job { id: ID owner: Event @requires(permission: TENANT_READ) }
`);

function needed(document: string, variableValues: Record<string, unknown> = {}): readonly Permission[] {
  const { definitions } = parse(document);
  const operation = definitions.find((each) => each.kind === Kind.OPERATION_DEFINITION);
  if (!operation) throw new Error('No operation.');
  const fragments = Object.fromEntries(
    definitions.flatMap((each) =>
      each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each] as const] : [],
    ),
  );
  return [...neededPermissions({ schema, operation, fragments, variableValues })].toSorted();
}

describe('the permissions of an operation', () => {
  it.each([
    ['are those of its root field', 'subscription { events { id job { id } } }', []],
    ['and of a field below it', 'subscription { events { stats } }', ['PLATFORM_READ']],
    ['at any depth', 'subscription { events { job { owner { id } } } }', ['TENANT_READ']],
    [
      'in fragments, however they are nested',
      `subscription { ...A } fragment A on Subscription { events { ... { ...B } } }
       fragment B on Event { id ... on Event { job { ...C } } } fragment C on Job { owner { ...B stats } }`,
      ['PLATFORM_READ', 'TENANT_READ'],
    ],
    [
      'not of what is left out',
      'subscription { events { id stats @skip(if: true) job @include(if: false) { owner { id } } } }',
      [],
    ],
  ])('%s', (_, document, more) => {
    expect(needed(document)).toEqual(['JOBS_READ', ...more]);
  });

  it('follow the variables that leave fields out', () => {
    const document = 'subscription ($isLean: Boolean!) { events { id stats @skip(if: $isLean) } }';
    expect(needed(document, { isLean: true })).toEqual(['JOBS_READ']);
    expect(needed(document, { isLean: false })).toEqual(['JOBS_READ', 'PLATFORM_READ']);
  });
});

import type { GraphQLObjectType, GraphQLSchema } from 'graphql';
import {
  buildSchema as parseSdl,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isObjectType,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import {
  JOB_ERROR_CODES,
  JOB_EVENT_TYPES,
  JOB_FINDINGS,
  JOB_STATES,
  OUTPUT_FORMATS,
} from '../../domains/generation/index.ts';
import { KEY_ENVIRONMENTS, PERMISSIONS } from '../../domains/tenancy/index.ts';
import { USER_ERROR_CODES } from '../../kernel/errors.ts';
import { listSizeOf } from '../server/cost-rule.ts';
import { buildSchema } from './build-schema.ts';
import { permissionOf } from './permission-of.ts';
import { requirePermissions } from './require-permissions.ts';

const schema = buildSchema();

describe('schema.graphql', () => {
  it('names a permission for every root field', () => {
    const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
    const fields = roots.flatMap((root) => Object.values(root?.getFields() ?? {}));
    expect(fields.length).toBeGreaterThan(0);
    expect(fields.filter((field) => permissionOf(schema, field) === null).map(({ name }) => name)).toEqual(
      [],
    );
  });

  it('does not start with a root field that names none', () => {
    const sdl = `directive @requires(permission: String!) on FIELD_DEFINITION type Query { open: Int }`;
    expect(() => requirePermissions(parseSdl(sdl))).toThrow('Query.open has no @requires');
  });

  it('says of every list of objects how many it can hold', () => {
    const types = Object.values(schema.getTypeMap()).filter(isObjectType);
    const fields = types.flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })));
    // What a page holds is counted where the page is asked for.
    const pages = fields.filter(({ field }) => listSizeOf(schema, field)?.slicingArgument !== undefined);
    const connections = new Set(pages.map(({ field }) => getNamedType(field.type).name));
    const uncounted = fields.filter(
      ({ type, field }) =>
        isListType(getNullableType(field.type)) &&
        isObjectType(getNamedType(field.type)) &&
        !type.name.startsWith('__') &&
        !connections.has(type.name) &&
        listSizeOf(schema, field) === null,
    );
    expect(uncounted.map(({ type, field }) => `${type.name}.${field.name}`)).toEqual([]);
    expect(connections).toEqual(new Set(['JobConnection']));
  });

  it('describes everything', () => {
    expect(undescribed(schema)).toEqual([]);
  });

  it('spells closed sets as the code does', () => {
    expect(valuesOf('JobState')).toEqual(JOB_STATES.toSorted());
    expect(valuesOf('JobEventType')).toEqual(JOB_EVENT_TYPES.toSorted());
    expect(valuesOf('JobErrorCode')).toEqual(JOB_ERROR_CODES.toSorted());
    expect(valuesOf('OutputFormat')).toEqual(OUTPUT_FORMATS.toSorted());
    expect(valuesOf('JobUserErrorCode')).toEqual(USER_ERROR_CODES.toSorted());
    expect(valuesOf('JobFinding')).toEqual(JOB_FINDINGS.toSorted());
    expect(valuesOf('Permission')).toEqual(PERMISSIONS.toSorted());
    expect(valuesOf('KeyEnvironment')).toEqual(KEY_ENVIRONMENTS.toSorted());
    expect(valuesOf('SchedulerName')).toHaveLength(17);
  });
});

function valuesOf(name: string): readonly string[] {
  const type = schema.getType(name);
  return isEnumType(type)
    ? type
        .getValues()
        .map((value) => value.name)
        .toSorted()
    : [];
}

interface Part {
  readonly name: string;
  readonly description?: string | null | undefined;
}

/** Coordinates of everything that a client can see and that says nothing of itself. */
function undescribed(described: GraphQLSchema): readonly string[] {
  const types = Object.values(described.getTypeMap()).filter((type) => !type.name.startsWith('__'));
  return types.flatMap((type) => [
    ...silent('', [type]),
    ...(isEnumType(type) ? silent(type.name, type.getValues()) : []),
    ...(isInputObjectType(type) ? silent(type.name, Object.values(type.getFields())) : []),
    ...(isObjectType(type) ? undescribedFields(type) : []),
  ]);
}

function undescribedFields(type: GraphQLObjectType): readonly string[] {
  const fields = Object.values(type.getFields());
  const args = fields.flatMap((field) => silent(`${type.name}.${field.name}`, field.args));
  return [...silent(type.name, fields), ...args];
}

function silent(parent: string, parts: readonly Part[]): readonly string[] {
  return parts.filter((part) => !part.description?.trim()).map((part) => `${parent}.${part.name}`);
}

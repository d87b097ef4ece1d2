import type { GraphQLField, GraphQLFieldResolver, GraphQLSchema } from 'graphql';
import { defaultFieldResolver, isObjectType } from 'graphql';
import type { Permission } from '../../domains/tenancy/index.ts';
import { requirePermission } from '../../domains/tenancy/index.ts';
import type { Context } from '../context.ts';
import { neededPermissions } from './needed-permissions.ts';
import { permissionOf } from './permission-of.ts';

type Field = GraphQLField<unknown, Context>;
type Call = Parameters<GraphQLFieldResolver<unknown, Context>>;

/**
 * Puts the permission that `@requires` names in front of every field that has it, before its resolver or
 * the start of its stream. What changes something or starts a stream asks for all permissions of the
 * whole operation first: a refusal further down would come after it took effect.
 *
 * Throws when a root field names none: an operation that nobody thought about must not come into being by
 * being forgotten.
 */
export function requirePermissions(schema: GraphQLSchema): GraphQLSchema {
  const roots = new Set([schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]);
  for (const type of Object.values(schema.getTypeMap()).filter(isObjectType)) {
    for (const field of Object.values(type.getFields())) {
      const permission = permissionOf(schema, field);
      if (permission) guard(field, permission);
      else if (roots.has(type)) {
        throw new Error(`${type.name}.${field.name} has no @requires: say which permission it needs.`);
      }
    }
  }
  return schema;
}

function guard(field: Field, permission: Permission): void {
  const { subscribe, resolve = defaultFieldResolver } = field;
  if (subscribe) {
    field.subscribe = (...call) => {
      check(call, permission);
      return subscribe(...call);
    };
    return;
  }
  field.resolve = (...call) => {
    check(call, permission);
    return resolve(...call);
  };
}

function check([, , { actor }, info]: Call, permission: Permission): void {
  requirePermission(actor, permission);
  const { operation, path } = info;
  if (operation.operation === 'query' || path.prev) return;
  for (const needed of neededPermissions(info)) requirePermission(actor, needed);
}

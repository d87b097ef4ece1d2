import type { GraphQLField, GraphQLFieldResolver, GraphQLSchema } from 'graphql';
import { defaultFieldResolver, getDirectiveValues } from 'graphql';
import type { Actor, Permission } from '../../domains/tenancy/index.ts';
import { PERMISSIONS, requirePermission } from '../../domains/tenancy/index.ts';
import type { Context } from '../context.ts';

type RootField = GraphQLField<unknown, Context>;

/**
 * Puts the permission that `@requires` names in front of every root field, before its resolver or
 * the start of its stream. Throws when a root field names none: an operation that nobody thought
 * about must not come into being by being forgotten.
 */
export function requirePermissions(schema: GraphQLSchema): GraphQLSchema {
  for (const root of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    for (const field of Object.values(root?.getFields() ?? {})) {
      const permission = permissionOf(schema, field);
      if (!permission)
        throw new Error(`${root?.name}.${field.name} has no @requires: say which permission it needs.`);
      guard(field, permission);
    }
  }
  return schema;
}

/** The permission that a root field names, or null. */
export function permissionOf(schema: GraphQLSchema, field: RootField): Permission | null {
  const directive = schema.getDirective('requires');
  const values = directive && field.astNode && getDirectiveValues(directive, field.astNode);
  return PERMISSIONS.find((each) => each === values?.['permission']) ?? null;
}

function guard(field: RootField, permission: Permission): void {
  const { subscribe, resolve = defaultFieldResolver } = field;
  if (subscribe) {
    field.subscribe = (...call) => {
      requirePermission(actorOf(call), permission);
      return subscribe(...call);
    };
    return;
  }
  field.resolve = (...call) => {
    requirePermission(actorOf(call), permission);
    return resolve(...call);
  };
}

function actorOf([, , context]: Parameters<GraphQLFieldResolver<unknown, Context>>): Actor {
  return context.actor;
}

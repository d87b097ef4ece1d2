import type { GraphQLField, GraphQLSchema } from 'graphql';
import { getDirectiveValues } from 'graphql';
import type { Permission } from '../../domains/tenancy/index.ts';
import { PERMISSIONS } from '../../domains/tenancy/index.ts';

/** The permission that a field names with `@requires`, or null. */
export function permissionOf(
  schema: GraphQLSchema,
  { astNode }: Pick<GraphQLField<unknown, unknown>, 'astNode'>,
): Permission | null {
  const directive = schema.getDirective('requires');
  const values = directive && astNode && getDirectiveValues(directive, astNode);
  return PERMISSIONS.find((each) => each === values?.['permission']) ?? null;
}

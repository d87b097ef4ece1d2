import { readFileSync } from 'node:fs';
import { makeExecutableSchema } from '@graphql-tools/schema';
import type { GraphQLSchema } from 'graphql';
import { resolvers } from '../resolvers/index.ts';
import { requirePermissions } from './require-permissions.ts';

const SDL = new URL('../../../schema.graphql', import.meta.url);

/** `schema.graphql` with its resolvers, every root field behind the permission that it names. */
export function buildSchema(): GraphQLSchema {
  const schema = makeExecutableSchema({ typeDefs: readFileSync(SDL, 'utf8'), resolvers });
  // A scalar with code of its own loses what the SDL says of it on the way.
  for (const type of Object.values(schema.getTypeMap()))
    type.description ??= type.astNode?.description?.value;
  return requirePermissions(schema);
}

import type { QueryResolvers } from '../../generated/graphql/resolvers.ts';

export const job: Required<QueryResolvers>['job'] = (_, { id }, { actor, services }) =>
  services.generation.find(actor, id);

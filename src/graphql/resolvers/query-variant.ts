import type { QueryResolvers } from '../../generated/graphql/resolvers.ts';

export const variant: Required<QueryResolvers>['variant'] = (_, { id }, { actor, services }) =>
  services.catalog.find(actor, id);

import type { QueryResolvers } from '../../generated/graphql/resolvers.ts';

export const platformStats: Required<QueryResolvers>['platformStats'] = (_, _args, { actor, services }) =>
  services.operations.stats(actor);

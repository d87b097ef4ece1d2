import type { QueryResolvers } from '../../generated/graphql/resolvers.ts';

export const schedulers: Required<QueryResolvers>['schedulers'] = (_, _args, { actor, services }) =>
  services.catalog.schedulers(actor);

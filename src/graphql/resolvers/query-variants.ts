import type { QueryResolvers } from '../../generated/graphql/resolvers.ts';

export const variants: Required<QueryResolvers>['variants'] = (_, _args, { actor, services }) =>
  services.catalog.list(actor);

import type { QueryResolvers } from '../../generated/graphql/resolvers.ts';

export const viewer: Required<QueryResolvers>['viewer'] = (_, _args, { actor, services }) =>
  services.tenants.viewer(actor);

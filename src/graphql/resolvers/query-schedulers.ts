import type { QueryResolvers } from '../../generated/graphql/resolvers.ts';

export const schedulers: Required<QueryResolvers>['schedulers'] = (_, _args, { services }) =>
  services.schedulers;

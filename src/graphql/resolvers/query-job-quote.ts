import type { QueryResolvers } from '../../generated/graphql/resolvers.ts';

export const jobQuote: Required<QueryResolvers>['jobQuote'] = (_, { input }, { actor, services }) =>
  services.generation.quote(actor, input);

import type { QueryResolvers } from '../../generated/graphql/resolvers.ts';

// The SDL's default covers an absent `first`; an explicit null means the same.
const PAGE_SIZE_DEFAULT = 20;

export const jobs: Required<QueryResolvers>['jobs'] = (_, { first, after, filter }, { actor, services }) =>
  services.generation.list(actor, {
    first: first ?? PAGE_SIZE_DEFAULT,
    after: after ?? null,
    filter: filter ?? {},
  });

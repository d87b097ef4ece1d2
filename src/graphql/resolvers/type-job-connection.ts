import type { JobConnectionResolvers } from '../../generated/graphql/resolvers.ts';

export const JobConnection: JobConnectionResolvers = { pageInfo: (page) => page };

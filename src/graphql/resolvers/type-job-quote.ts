import type { JobQuoteResolvers } from '../../generated/graphql/resolvers.ts';
import { userErrorOf } from '../errors/user-errors.ts';

export const JobQuote: JobQuoteResolvers = {
  userErrors: ({ refusals }) => refusals.flatMap(userErrorOf),
};

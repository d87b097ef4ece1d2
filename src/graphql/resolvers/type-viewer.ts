import type { ViewerResolvers } from '../../generated/graphql/resolvers.ts';

export const Viewer: ViewerResolvers = {
  balanceCredits: (_, _args, { actor, services }) => services.metering.balance(actor),
};

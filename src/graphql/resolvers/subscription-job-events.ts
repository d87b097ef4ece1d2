import type { JobEvent } from '../../domains/generation/index.ts';
import type { SubscriptionResolvers } from '../../generated/graphql/resolvers.ts';

export const jobEvents: Required<SubscriptionResolvers>['jobEvents'] = {
  subscribe: (_, { jobId, after }, { actor, services, signal }) =>
    services.events.follow(actor, { jobId, after: after ?? null }, signal),
  resolve: (event: JobEvent) => event,
};

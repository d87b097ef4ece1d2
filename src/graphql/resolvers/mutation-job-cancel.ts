import type { MutationResolvers } from '../../generated/graphql/resolvers.ts';
import { withUserErrors } from '../errors/user-errors.ts';

export const jobCancel: Required<MutationResolvers>['jobCancel'] = (_, { input }, { actor, services }) =>
  withUserErrors(async () => ({ job: await services.generation.cancel(actor, input.jobId) }));

import type { MutationResolvers } from '../../generated/graphql/resolvers.ts';
import { withUserErrors } from '../errors/user-errors.ts';

export const jobSubmit: Required<MutationResolvers>['jobSubmit'] = (_, { input }, { actor, services }) =>
  withUserErrors(async () => ({ job: await services.generation.submit(actor, input) }));

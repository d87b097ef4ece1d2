import type { QueryResolvers } from '../../generated/graphql/resolvers.ts';

export const promptPreview: Required<QueryResolvers>['promptPreview'] = (_, { input }, { actor, services }) =>
  services.generation.previewPrompts(actor, input);

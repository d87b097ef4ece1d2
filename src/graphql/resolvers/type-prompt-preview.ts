import type { PromptPreviewResolvers } from '../../generated/graphql/resolvers.ts';
import { userErrorOf } from '../errors/user-errors.ts';

export const PromptPreview: PromptPreviewResolvers = {
  userErrors: ({ refusals }) => refusals.flatMap(userErrorOf),
};

import type { ImageResolvers } from '../../generated/graphql/resolvers.ts';

export const Image: ImageResolvers = {
  url: async (image, _args, { services }) => (await services.generation.pictureLink(image))?.url ?? null,
  urlExpiresAt: async (image, _args, { services }) =>
    (await services.generation.pictureLink(image))?.expiresAt ?? null,
  thumbnailUrl: async (image, _args, { services }) =>
    (await services.generation.thumbnailLink(image))?.url ?? null,
};

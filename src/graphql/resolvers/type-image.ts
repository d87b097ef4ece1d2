import type { ImageResolvers } from '../../generated/graphql/resolvers.ts';

export const Image: ImageResolvers = {
  url: (image, _args, { services }) => services.generation.link(image).url,
  urlExpiresAt: (image, _args, { services }) => services.generation.link(image).urlExpiresAt,
  thumbnailUrl: (image, _args, { services }) => services.generation.link(image).thumbnailUrl,
};

import type { VariantResolvers, VariantVersionResolvers } from '../../generated/graphql/resolvers.ts';

export const Variant: VariantResolvers = { liveVersion: ({ live }) => live };

export const VariantVersion: VariantVersionResolvers = {
  nativeSize: ({ manifest }) => manifest.nativeSize,
  sizeMultiple: ({ manifest }) => manifest.sizeMultiple,
  tokensMax: ({ manifest }) => manifest.tokensMax,
  clipSkips: ({ manifest }) => Object.keys(manifest.clipSkip).map(Number),
  schedulers: (version, _args, { services }) => services.catalog.fits(version),
  defaults: ({ manifest }) => manifest.defaults,
};

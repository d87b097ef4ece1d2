export type { Catalog } from './catalog.ts';
export { createCatalog, resolveVariant } from './catalog.ts';
export { seedPlatformVariants } from './seed.ts';
export { findVersion } from './store.ts';
export type { Variant, VariantVersion, Visibility } from './variant.ts';

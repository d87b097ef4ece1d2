export type { SchedulerDescription } from '../../diffusion/index.ts';
export type { Catalog } from './catalog.ts';
export { createCatalog, resolveVariant } from './catalog.ts';
export type { SchedulerFit } from './schedulers.ts';
export { countEvaluations } from './schedulers.ts';
export { seedPlatformVariants } from './seed.ts';
export { findVersion } from './store.ts';
export type { Variant, VariantVersion, Visibility } from './variant.ts';

import type { SchedulerConfig } from '../../diffusion/index.ts';
import type { Id } from '../../kernel/ids.ts';
import type { Manifest } from '../../kernel/manifest.ts';

export const VISIBILITIES = ['PRIVATE', 'GRANTED', 'PUBLIC'] as const;
export type Visibility = (typeof VISIBILITIES)[number];

/** A model that a tenant may use, with the version that is live. */
export interface Variant {
  readonly id: Id<'variant'>;
  readonly ownerId: Id<'tenant'>;
  readonly name: string;
  readonly family: string;
  readonly visibility: Visibility;
  readonly createdAt: Date;
  readonly live: VariantVersion;
}

/** Immutable: the digest names the weights and the configuration. */
export interface VariantVersion {
  readonly id: Id<'version'>;
  readonly number: number;
  readonly digest: string;
  readonly manifest: Manifest;
  readonly schedulerConfig: SchedulerConfig;
}

import type { Catalog, SchedulerDescription, VariantVersion } from '../domains/catalog/index.ts';
import type { Events, Generation, Job } from '../domains/generation/index.ts';
import type { Metering } from '../domains/metering/index.ts';
import type { Operations } from '../domains/operations/index.ts';
import type { Access, Actor, Tenants } from '../domains/tenancy/index.ts';
import type { Page } from '../kernel/pages.ts';
import type { Loaders } from './loaders/loaders.ts';

/** What the API stands on. It constructs none of it and closes none of it. */
export interface Services {
  readonly access: Access;
  readonly tenants: Tenants;
  readonly metering: Metering;
  readonly catalog: Catalog;
  readonly generation: Generation;
  readonly events: Events;
  readonly operations: Pick<Operations, 'stats'>;
}

/** What every resolver of one operation is given. */
export interface Context {
  readonly actor: Actor;
  readonly services: Services;
  readonly loaders: Loaders;
  readonly requestId: string;
  /** Fires when nobody waits for the answer any more: the client has gone or unsubscribed. */
  readonly signal: AbortSignal;
}

export type JobPage = Page<Job>;
export type SchedulerOption = SchedulerDescription['options'][number];
export type SchedulerAlias = SchedulerDescription['aliases'][number];
export type VariantDefaults = VariantVersion['manifest']['defaults'];

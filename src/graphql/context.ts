import type { Catalog, VariantVersion } from '../domains/catalog/index.ts';
import type { Events, Generation, Job } from '../domains/generation/index.ts';
import type { Metering } from '../domains/metering/index.ts';
import type { Operations } from '../domains/operations/index.ts';
import type { Access, Actor, Tenants } from '../domains/tenancy/index.ts';
import type { Page } from '../kernel/pages.ts';
import type { SchedulerName, SigmaSchedule } from '../generated/graphql/resolvers.ts';
import type { Loaders } from './loaders/loaders.ts';

/** A scheduler that the API names, and what it can follow. */
export interface SchedulerInfo {
  readonly name: SchedulerName;
  readonly isBuilt: boolean;
  readonly sigmaSchedules: readonly SigmaSchedule[];
}

/** What the API stands on. It constructs none of it and closes none of it. */
export interface Services {
  readonly access: Access;
  readonly tenants: Tenants;
  readonly metering: Metering;
  readonly catalog: Catalog;
  readonly generation: Generation;
  readonly events: Events;
  readonly operations: Pick<Operations, 'stats'>;
  readonly schedulers: readonly SchedulerInfo[];
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
export type VariantDefaults = VariantVersion['manifest']['defaults'];

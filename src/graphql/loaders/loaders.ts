import DataLoader from 'dataloader';
import type { Events, Generation, Image, JobEvent } from '../../domains/generation/index.ts';
import type { Actor } from '../../domains/tenancy/index.ts';
import type { Id } from '../../kernel/ids.ts';

type JobId = Id<'job'>;

export interface Loaders {
  readonly images: DataLoader<JobId, readonly Image[]>;
  readonly history: DataLoader<JobId, readonly JobEvent[]>;
}

/** Where they load from. */
export interface LoaderDeps {
  readonly generation: Generation;
  readonly events: Events;
}

// A page of a hundred jobs is one call; a document of many pages is a few, none of them huge.
const BATCH_MAX = 200;

/**
 * Collects what one operation asks of many jobs into one call each. Made per operation and bound to
 * its actor: nothing it remembers can outlive the request or reach another tenant.
 */
export function createLoaders(actor: Actor, { generation, events }: LoaderDeps): Loaders {
  return {
    images: byJob((jobIds) => generation.images(actor, jobIds)),
    history: byJob((jobIds) => events.history(actor, jobIds)),
  };
}

function byJob<T>(load: (jobIds: readonly JobId[]) => Promise<ReadonlyMap<JobId, readonly T[]>>) {
  return new DataLoader<JobId, readonly T[]>(
    async (jobIds) => {
      const found = await load(jobIds);
      return jobIds.map((id) => found.get(id) ?? []);
    },
    { maxBatchSize: BATCH_MAX },
  );
}

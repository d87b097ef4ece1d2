import type { S3Config } from '../config/index.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { LocalStore, ObjectStore } from '../platform/objects/index.ts';
import { openLocalStore } from '../platform/objects/index.ts';

/** Where the pictures of an installation are. Disposing closes it. */
export interface Objects extends AsyncDisposable {
  readonly store: ObjectStore;
  /** The same store when its links lead to the API, which has to serve them; null when they lead to S3. */
  readonly served: LocalStore | null;
}

export interface ObjectsOptions {
  readonly s3: S3Config | null;
  readonly directory: string;
  readonly baseUrl: () => string;
  readonly signingKey: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
}

/** Opens the bucket, or the folder where there is none. Rejects with a `StartError` when it cannot be used. */
export async function openObjects({ s3, ...local }: ObjectsOptions): Promise<Objects> {
  const { clock, random } = local;
  if (s3 === null) {
    const served = await openLocalStore(local);
    return { store: served, served, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
  }
  // Loaded only where it is used: the SDK costs a start 0.4 s and 35 MB.
  const { openS3Store } = await import('../platform/objects/s3-store.ts');
  const store = await openS3Store({ settings: s3, clock, random });
  return { store, served: null, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

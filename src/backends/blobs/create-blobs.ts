import { createHash } from 'node:crypto';
import type { BlobStore } from '../../dispatcher/blobs.ts';
import { BlobError } from '../../dispatcher/blobs.ts';
import type { Backoff } from '../../kernel/backoff.ts';
import { backoffMs } from '../../kernel/backoff.ts';
import type { Clock } from '../../kernel/clock.ts';
import { messageOf } from '../../kernel/errors.ts';
import type { Random } from '../../kernel/random.ts';
import type { ObjectStore } from '../../platform/objects/index.ts';
import { ObjectError } from '../../platform/objects/index.ts';

export interface BlobsDeps {
  readonly objects: Pick<ObjectStore, 'put' | 'head'>;
  readonly clock: Clock;
  readonly random: Random;
}

interface Blob {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly contentType: string;
}

// Six attempts within about four seconds: a store that hiccups costs a pause here, where without
// them it would cost the whole picture again.
const ATTEMPTS_MAX = 6;
const BACKOFF: Backoff = { firstMs: 100, maxMs: 2_000 };

/** Finished pictures in an object store. Tries a store that is unavailable again for a few seconds. */
export function createBlobs(deps: BlobsDeps): BlobStore {
  return {
    async put(key, bytes, contentType) {
      try {
        await putPatiently(deps, { key, bytes, contentType });
      } catch (error) {
        throw new BlobError(`The picture could not be stored: ${messageOf(error)}`, { cause: error });
      }
    },
  };
}

async function putPatiently(deps: BlobsDeps, blob: Blob): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await putOnce(deps, blob);
      return;
    } catch (error) {
      const mayWork = error instanceof ObjectError && error.retryable;
      if (!mayWork || attempt + 1 >= ATTEMPTS_MAX) throw error;
    }
    await deps.clock.sleep(backoffMs(BACKOFF, attempt, deps.random));
  }
}

async function putOnce({ objects }: BlobsDeps, { key, bytes, contentType }: Blob): Promise<void> {
  try {
    await objects.put(key, bytes, { contentType, ifNoneMatch: true });
  } catch (error) {
    if (!(error instanceof ObjectError) || error.code !== 'ALREADY_EXISTS') throw error;
    // An answer that was lost, or a redo after a crash: fine as long as it is the same picture.
    const stored = await objects.head(key);
    if (stored?.sha256 !== createHash('sha256').update(bytes).digest('hex')) throw error;
  }
}

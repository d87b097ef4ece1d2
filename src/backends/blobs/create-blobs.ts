import { createHash } from 'node:crypto';
import type { BlobOptions, BlobStore } from '../../dispatcher/blobs.ts';
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

interface Blob extends BlobOptions {
  readonly key: string;
  readonly bytes: Uint8Array;
}

// A store that is away for less costs a pause here, where without it it would cost the whole picture again;
// and a dispatcher that holds what it cannot store takes on no more of it.
const PATIENCE_MS = 5 * 60_000;
const BACKOFF: Backoff = { firstMs: 100, maxMs: 5_000 };

/** Finished pictures in an object store. Tries a store that is unavailable again for five minutes. */
export function createBlobs(deps: BlobsDeps): BlobStore {
  return {
    async put(key, bytes, options) {
      try {
        await putPatiently(deps, { key, bytes, ...options });
      } catch (error) {
        throw new BlobError(`The picture could not be stored: ${messageOf(error)}`, { cause: error });
      }
    },
  };
}

async function putPatiently(deps: BlobsDeps, blob: Blob): Promise<void> {
  const { clock, random } = deps;
  const untilMs = clock.monotonicMs() + PATIENCE_MS;
  for (let attempt = 0; ; attempt++) {
    try {
      await putOnce(deps, blob);
      return;
    } catch (error) {
      const mayWork = error instanceof ObjectError && error.retryable && !blob.signal.aborted;
      if (!mayWork || clock.monotonicMs() >= untilMs) throw error;
    }
    await clock.sleep(backoffMs(BACKOFF, attempt, random), blob.signal);
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

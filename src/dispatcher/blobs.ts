export interface BlobOptions {
  readonly contentType: string;
  /** Fires when nobody waits any longer for a store that hiccups. */
  readonly signal: AbortSignal;
}

/** Where finished pictures are kept. */
export interface BlobStore {
  /**
   * Stores `bytes` under a key that was never used before. Doing it again with the same bytes
   * succeeds, so that a redo is harmless. Asks a store that hiccups again for minutes, and rejects with a
   * `BlobError` when that was of no use or `signal` fires meanwhile; then nothing is visible.
   */
  put(key: string, bytes: Uint8Array, options: BlobOptions): Promise<void>;
}

/** A picture that could not be stored, however often the store was asked. */
export class BlobError extends Error {
  override readonly name = 'BlobError';
}

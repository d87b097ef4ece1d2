/** Where finished pictures are kept. */
export interface BlobStore {
  /**
   * Stores `bytes` under a key that was never used before. Doing it again with the same bytes
   * succeeds, so that a redo is harmless. Asks a store that hiccups again by itself, and rejects with
   * a `BlobError` when that was of no use; then nothing is visible.
   */
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>;
}

/** A picture that could not be stored, however often the store was asked. */
export class BlobError extends Error {
  override readonly name = 'BlobError';
}

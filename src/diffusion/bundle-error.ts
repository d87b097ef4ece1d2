/**
 * A bundle's own files contradict the engine contract or each other, so no job of it can run.
 * The message names the file and the field; it is for whoever registers the bundle, not for a client.
 */
export class BundleError extends Error {
  override readonly name = 'BundleError';
}

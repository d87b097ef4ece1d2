import type { Readable } from 'node:stream';

/**
 * What went wrong with an object: `ALREADY_EXISTS` (the first write of a key wins), `NOT_FOUND`,
 * `INVALID_KEY` (the caller's mistake: never sent anywhere), `UNAVAILABLE` (the store itself).
 */
export type ObjectErrorCode = 'ALREADY_EXISTS' | 'NOT_FOUND' | 'INVALID_KEY' | 'UNAVAILABLE';

/** The one error of an object store. `retryable` says whether the same call may succeed later. */
export class ObjectError extends Error {
  override readonly name = 'ObjectError';
  readonly code: ObjectErrorCode;
  readonly retryable: boolean;

  constructor(
    code: ObjectErrorCode,
    message: string,
    options: { retryable?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? code === 'UNAVAILABLE';
  }
}

export interface PutOptions {
  /** A MIME type of at most 80 visible ASCII characters. */
  readonly contentType: string;
  /** Always: an object never changes once it can be read, so that a link to it means one picture. */
  readonly ifNoneMatch: true;
}

export interface StoredObject {
  readonly size: number;
  /** Of the bytes, in hex. */
  readonly sha256: string;
}

export interface ObjectHead extends StoredObject {
  readonly contentType: string;
}

export interface OpenedObject extends ObjectHead {
  /** Owned by the caller, who reads it to its end or destroys it. */
  readonly stream: Readable;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly modifiedAt: Date;
}

export interface SignOptions {
  /** At most seven days ahead; whole seconds, rounded down. */
  readonly expiresAt: Date;
  readonly disposition: 'inline' | 'attachment';
  /** The name a browser saves under: 1 to 128 characters of `A-Za-z0-9._-`, not starting with a dot. */
  readonly filename?: string;
}

/**
 * Immutable bytes under keys. A key is 1 to 512 characters of `A-Za-z0-9._-` in segments joined by
 * single slashes; no segment is empty, `.`, `..` or longer than 200. Keys are made by the program,
 * never from what a user typed, and never differ from each other by case alone. None is the folder of
 * another (`a` and `a/b`): some servers keep objects as files and have no place for both.
 *
 * Every method rejects with an `ObjectError`: INVALID_KEY before anything is touched, UNAVAILABLE when
 * the store does not answer as it should.
 */
export interface ObjectStore extends AsyncDisposable {
  /**
   * Stores `bytes` durably and makes them visible all at once. Rejects with ALREADY_EXISTS, leaving
   * the first object as it was, when the key is taken; of two writers at the same time one wins.
   */
  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<StoredObject>;
  /** Null when there is no such object. */
  open(key: string): Promise<OpenedObject | null>;
  /** Null when there is no such object. */
  head(key: string): Promise<ObjectHead | null>;
  /** Succeeds as well when there is no such object. */
  delete(key: string): Promise<void>;
  /** Objects whose key starts with `prefix` (`''`: all), each once and in no promised order. */
  list(prefix: string): AsyncIterable<ListedObject>;
  /**
   * A URL that lets whoever has it read the object until `expiresAt`. Asks nobody, and so does not look
   * whether the object exists. Rejects with a `RangeError` when the expiry is further ahead than seven
   * days.
   */
  signGet(key: string, options: SignOptions): Promise<string>;
}

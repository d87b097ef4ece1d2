import { systemCodeOf } from '../../kernel/errors.ts';
import { ObjectError } from './object-store.ts';

/** What a server answered in place of success, or that it answered nothing. */
export interface S3Refusal {
  /** Null when there was no answer. */
  readonly status: number | null;
  /** S3's own word, `SlowDown`; without an answer what became of the connection, `ECONNRESET`. */
  readonly code: string;
}

// The request itself is at fault, and the same one fares no better later. All else may be mended meanwhile:
// a key that is rotated, a clock, a bucket. A damaged upload is a 400 too, and is sent again.
const FINAL_STATUSES: ReadonlySet<number> = new Set([400, 405, 411, 413, 414, 416, 501]);
const DAMAGED: ReadonlySet<string> = new Set([
  'BadDigest',
  'IncompleteBody',
  'RequestTimeout',
  'XAmzContentChecksumMismatch',
  'XAmzContentSHA256Mismatch',
]);

/** What the SDK's error says of the answer. An answer without a body, as to HEAD, has no code: then its status. */
export function refusalOf(error: unknown): S3Refusal {
  const status = statusOf(error);
  const name = error instanceof Error ? error.name : 'UnknownError';
  if (status === null) return { status, code: systemCodeOf(error) ?? name };
  const isNamed = name !== 'Unknown' && name !== 'UnknownError' && name !== 'Error';
  return { status, code: isNamed ? name : `HTTP ${status}` };
}

/** Whether the server knows no such object; that it knows no such bucket is another matter. */
export function isMissing(error: unknown): boolean {
  const { status, code } = refusalOf(error);
  return status === 404 && code !== 'NoSuchBucket';
}

/** Whether a write was refused because the key is taken. */
export function isTaken(error: unknown): boolean {
  return refusalOf(error).status === 412;
}

/** The error as the port knows it. Names neither keys of access nor signatures. */
export function unavailable(error: unknown): ObjectError {
  if (error instanceof ObjectError) return error;
  const { status, code } = refusalOf(error);
  const isFinal = status !== null && FINAL_STATUSES.has(status) && !DAMAGED.has(code);
  const message =
    status === null
      ? `The object store did not answer: ${code}.`
      : `The object store answered ${code}${code.includes(String(status)) ? '' : ` (${status})`}.`;
  return new ObjectError('UNAVAILABLE', message, { retryable: !isFinal, cause: error });
}

function statusOf(error: unknown): number | null {
  const metadata: unknown = Object(error).$metadata;
  const status: unknown = Object(metadata).httpStatusCode;
  return typeof status === 'number' ? status : null;
}

/**
 * The closed set of codes that a caller may branch on.
 *
 * The first group is the caller's to fix and becomes a `userErrors` entry; the second is not and
 * becomes `errors[].extensions.code`. Anything that is not a `DomainError` is our own fault and
 * reaches the client as INTERNAL with a request id and nothing else.
 */
export const USER_ERROR_CODES = ['INVALID_INPUT', 'CONFLICT', 'QUOTA_EXCEEDED', 'NOT_FOUND'] as const;
export const REQUEST_ERROR_CODES = [
  'BAD_USER_INPUT',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'RATE_LIMITED',
  'UNAVAILABLE',
] as const;

export type UserErrorCode = (typeof USER_ERROR_CODES)[number];
export type RequestErrorCode = (typeof REQUEST_ERROR_CODES)[number];
export type DomainErrorCode = UserErrorCode | RequestErrorCode;

export interface DomainErrorOptions {
  /** Path of the input field at fault, outermost first: `['metadata', '0', 'key']`. */
  readonly field?: readonly string[];
  /** What is wrong with it more closely than the code says, of a closed set of its domain. */
  readonly finding?: string;
  /** When trying again makes sense, in milliseconds from now. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** A refusal that the caller may read: its message is shown as it stands, so it names no internals. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly code: DomainErrorCode;
  readonly field: readonly string[];
  readonly finding: string | null;
  readonly retryAfterMs: number | undefined;

  constructor(code: DomainErrorCode, message: string, options: DomainErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.field = options.field ?? [];
    this.finding = options.finding ?? null;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Several refusals of one input, told together so that the caller can mend all of them at once. */
export class DomainErrors extends Error {
  override readonly name = 'DomainErrors';
  readonly errors: readonly DomainError[];

  constructor(errors: readonly DomainError[]) {
    super(errors.map((each) => each.message).join(' '));
    this.errors = errors;
  }
}

/** A start-up refusal: printed as one line that says what is wrong and what to do, exit status 1. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

export function isUserErrorCode(code: DomainErrorCode): code is UserErrorCode {
  return USER_ERROR_CODES.some((each) => each === code);
}

/** The code of a failed system call, such as `ENOENT`, or null for any other error. */
export function systemCodeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

/** Whether the operating system refused with one of `codes` (`ENOENT`, `EACCES`, …). */
export function hasSystemCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes(systemCodeOf(error) ?? '');
}

/** The message of anything that can be thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

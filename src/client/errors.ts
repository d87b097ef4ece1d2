/**
 * Codes that this client gives out itself, beside those of the API (`UNAUTHENTICATED`, `FORBIDDEN`,
 * `RATE_LIMITED`, `UNAVAILABLE`, `INTERNAL`, `NOT_FOUND`, …).
 *
 * `UNREACHABLE`: no answer came. `BAD_ANSWER`: one came that is not Darkroom's. `TOO_LARGE` and
 * `DIGEST_MISMATCH`: a download that was refused. `EXPIRED`: the picture has been deleted.
 */
export type ClientErrorCode = 'UNREACHABLE' | 'BAD_ANSWER' | 'TOO_LARGE' | 'DIGEST_MISMATCH' | 'EXPIRED';

export interface DarkroomErrorOptions {
  readonly field?: readonly string[] | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly status?: number | undefined;
  readonly cause?: unknown;
}

/** A call that did not succeed. Branch on `code`; the message is for people. */
export class DarkroomError extends Error {
  override readonly name: string = 'DarkroomError';
  /** One of the API's codes or a `ClientErrorCode`. */
  readonly code: string;
  /** The input field at fault, outermost first, where there is one. */
  readonly field: readonly string[] | undefined;
  /** When trying again makes sense, in milliseconds from now, where the API says so. */
  readonly retryAfterMs: number | undefined;
  /** Of the HTTP answer, where there was one. */
  readonly status: number | undefined;

  constructor(code: string, message: string, options: DarkroomErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
  }
}

/** A refusal that a change of input can cure. */
export interface UserError {
  readonly code: string;
  readonly field: readonly string[];
  readonly message: string;
  /** Of settings: what is wrong more closely than `code` says, such as `SIZE_INVALID`. */
  readonly finding?: string | null;
}

/** Input that the API refused: everything that is wrong with it. Code and field are the first one's. */
export class DarkroomUserErrors extends DarkroomError {
  override readonly name = 'DarkroomUserErrors';
  readonly errors: readonly UserError[];

  constructor(errors: readonly UserError[]) {
    super(errors[0]?.code ?? 'INVALID_INPUT', errors.map(toLine).join('\n'), { field: errors[0]?.field });
    this.errors = errors;
  }
}

function toLine({ field, message }: UserError): string {
  return field.length === 0 ? message : `${field.join('.')}: ${message}`;
}

/** The error that an entry of a GraphQL answer's `errors` stands for. */
export function fromGraphqlErrors(errors: readonly unknown[], status?: number): DarkroomError {
  const first = asRecord(errors[0]);
  const extensions = asRecord(first?.['extensions']);
  const code = extensions?.['code'];
  const message = first?.['message'];
  const retryAfterMs = extensions?.['retryAfterMs'];
  return new DarkroomError(
    typeof code === 'string' ? code : 'BAD_ANSWER',
    typeof message === 'string' ? message : 'The API answered with an error that says nothing.',
    { status, retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined },
  );
}

export function asRecord(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
}

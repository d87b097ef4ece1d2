import type { DomainErrorCode } from '../../kernel/errors.ts';
import { DomainError } from '../../kernel/errors.ts';

/** A refusal by the HTTP layer itself. Its message is shown to the client. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What an HTTP client is told: always JSON, in the shape of a GraphQL error answer. */
export interface ErrorAnswer {
  readonly status: number;
  readonly body: { readonly errors: readonly [{ readonly message: string; readonly extensions: object }] };
  /** Whole seconds, for the header of that name. */
  readonly retryAfterSeconds: number | null;
  /** Whether it is our own fault, and so for the log. */
  readonly isFault: boolean;
}

const STATUS: Readonly<Record<DomainErrorCode, number>> = {
  INVALID_INPUT: 400,
  BAD_USER_INPUT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  QUOTA_EXCEEDED: 429,
  RATE_LIMITED: 429,
  UNAVAILABLE: 503,
};

// What Fastify and Node refuse before any route of ours runs. Their own messages are made for the
// developer of a server; these are for its user.
const MALFORMED = [
  'BAD_REQUEST',
  'The request is malformed: send a JSON body that matches its Content-Length.',
] as const;
export const REFUSALS: Readonly<Record<number, readonly [code: string, message: string]>> = {
  400: MALFORMED,
  404: ['NOT_FOUND', 'There is nothing at this address.'],
  405: ['METHOD_NOT_ALLOWED', 'This address does not take that method.'],
  408: ['REQUEST_TIMEOUT', 'The request did not arrive in time.'],
  413: ['PAYLOAD_TOO_LARGE', 'The request body is too large.'],
  414: ['URI_TOO_LONG', 'The address is too long.'],
  415: ['UNSUPPORTED_MEDIA_TYPE', 'Send the body as application/json in UTF-8, uncompressed.'],
  417: ['EXPECTATION_FAILED', 'The server knows no such expectation: leave the Expect header out.'],
  429: ['RATE_LIMITED', 'Too much at once. Try again in a moment.'],
  431: ['HEADERS_TOO_LARGE', 'The request headers are too large.'],
  503: ['UNAVAILABLE', 'The server is shutting down. Try again in a moment.'],
};

/** Decides status, code and message for anything that can be thrown while a request is handled. */
export function toErrorAnswer(error: unknown, requestId: string): ErrorAnswer {
  if (error instanceof DomainError) {
    const { code, message, retryAfterMs } = error;
    const extensions = { code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
    const retryAfterSeconds = retryAfterMs === undefined ? null : Math.ceil(retryAfterMs / 1000);
    return { status: STATUS[code], body: bodyOf(message, extensions), retryAfterSeconds, isFault: false };
  }
  if (error instanceof HttpError) return toRefusal(error.status, error.code, error.message);
  const status = statusOf(error);
  if (status in REFUSALS) return refusalOf(status);
  const body = bodyOf('Internal error.', { code: 'INTERNAL', requestId });
  return { status: 500, body, retryAfterSeconds: null, isFault: true };
}

/** The answer for a status; `message` says more than the status does by itself. */
export function refusalOf(status: number, message?: string): ErrorAnswer {
  const [code, usual] = REFUSALS[status] ?? MALFORMED;
  return toRefusal(status, code, message ?? usual);
}

function toRefusal(status: number, code: string, message: string): ErrorAnswer {
  return { status, body: bodyOf(message, { code }), retryAfterSeconds: null, isFault: false };
}

function bodyOf(message: string, extensions: object): ErrorAnswer['body'] {
  return { errors: [{ message, extensions }] };
}

/** Fastify marks its own refusals with a code of its own; a status on anything else means nothing. */
function statusOf(error: unknown): number {
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return 500;
  const isFastify = typeof error.code === 'string' && error.code.startsWith('FST_');
  return isFastify && typeof error.statusCode === 'number' ? error.statusCode : 500;
}

import type { GraphQLFormattedError } from 'graphql';
import { GraphQLError, Kind } from 'graphql';
import type { Logger } from 'pino';
import { DomainError, DomainErrors } from '../../kernel/errors.ts';

/** Turns whatever went wrong into what a client may see of it. */
export type Mask = (error: unknown, requestId: string) => GraphQLFormattedError;

// GraphQL's own refusals of a document or its variables. They speak of what the client sent.
const PROTOCOL_CODES: ReadonlySet<unknown> = new Set([
  'BAD_REQUEST',
  'BAD_USER_INPUT',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'PERSISTED_QUERY_NOT_SUPPORTED',
]);

const VALUES: ReadonlySet<Kind> = new Set([
  Kind.INT,
  Kind.FLOAT,
  Kind.STRING,
  Kind.BOOLEAN,
  Kind.NULL,
  Kind.ENUM,
  Kind.LIST,
  Kind.OBJECT,
  Kind.OBJECT_FIELD,
]);

// Messages quote values; a value can be as long as a body.
const MESSAGE_CHARS_MAX = 500;
const SUGGESTION = /,? did you mean [^?]*\?/gi;

/**
 * The one mask before both doors. Allow-listed: a `DomainError` keeps its message and code, and so
 * does a refusal by GraphQL itself. Everything else is our own fault: its cause goes to the log, and
 * the client gets "Internal error." with the request id under which to find it.
 */
export function createMask(logger: Logger): Mask {
  // One fault can befall many fields of an answer, and many answers: it is logged once for each of these.
  const logged = new WeakMap<Error, Set<string>>();
  const log = (cause: unknown, requestId: string) => {
    if (cause instanceof Error) {
      const requestIds = logged.get(cause) ?? new Set();
      if (requestIds.has(requestId)) return;
      logged.set(cause, requestIds.add(requestId));
    }
    logger.error({ err: cause, requestId }, 'Request failed.');
  };
  return (error, requestId) => {
    const cause = causeOf(error);
    const place = placeOf(error);
    if (cause instanceof DomainError) {
      const { code, message, retryAfterMs } = cause;
      return {
        message,
        ...place,
        extensions: { code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
      };
    }
    if (error instanceof GraphQLError && cause instanceof GraphQLError) {
      const code = protocolCodeOf(error);
      // The outermost says where: `… at "input.seed"; A Seed is …`.
      if (code) return { message: readable(error.message), ...place, extensions: { code } };
    }
    log(cause, requestId);
    return { message: 'Internal error.', ...place, extensions: { code: 'INTERNAL', requestId } };
  };
}

function causeOf(error: unknown): unknown {
  if (error instanceof GraphQLError && error.originalError) return causeOf(error.originalError);
  return error instanceof DomainErrors ? error.errors[0] : error;
}

function placeOf(error: unknown): Pick<GraphQLFormattedError, 'locations' | 'path'> {
  if (!(error instanceof GraphQLError)) return {};
  const { locations, path } = error.toJSON();
  return { ...(locations && { locations }), ...(path && { path }) };
}

/** The code of a refusal by GraphQL itself, or null. */
function protocolCodeOf(error: GraphQLError): string | null {
  if (isAboutValue(error)) return 'BAD_USER_INPUT';
  const { code } = error.extensions;
  return PROTOCOL_CODES.has(code) ? String(code) : null;
}

/**
 * Whether a value was refused by its type: BAD_USER_INPUT whether it came as a variable or was
 * written into the document. GraphQL finds the second while it validates and the first, without a
 * code, when it runs; what it points at tells both from a fault of ours in an answer.
 */
function isAboutValue({ nodes, extensions: { code } }: GraphQLError): boolean {
  const kind = nodes?.[0]?.kind;
  if (!kind) return false;
  if (code === 'GRAPHQL_VALIDATION_FAILED') return VALUES.has(kind);
  return (
    code === undefined && (VALUES.has(kind) || kind === Kind.VARIABLE || kind === Kind.VARIABLE_DEFINITION)
  );
}

// "Did you mean" would spell out, name by name, a schema that introspection keeps to itself. Of a
// message that is too long the middle goes, for that is the value: who was asked and why is at its ends.
function readable(text: string): string {
  const message = text.replaceAll(SUGGESTION, '');
  if (message.length <= MESSAGE_CHARS_MAX) return message;
  const half = MESSAGE_CHARS_MAX / 2;
  return `${message.slice(0, half).toWellFormed()}…${message.slice(-half).toWellFormed()}`;
}

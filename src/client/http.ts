import { print } from 'graphql';
import { asRecord, DarkroomError, fromGraphqlErrors } from './errors.ts';
import type { Operation } from './operation.ts';

export type Fetch = typeof globalThis.fetch;

export interface HttpDeps {
  readonly api: string;
  readonly apiKey: string;
  readonly fetch: Fetch;
  readonly requestTimeoutMs: number;
}

/**
 * Runs one query or mutation. Rejects with a `DarkroomError`: the API's own code, UNREACHABLE when
 * no answer came in time, BAD_ANSWER when what came is not a GraphQL answer.
 */
export async function execute<Result, Variables>(
  deps: HttpDeps,
  document: Operation<Result, Variables>,
  variables: Variables,
): Promise<Result> {
  const response = await post(deps, JSON.stringify({ query: print(document), variables }));
  const answer = asRecord(await parse(response));
  const errors = answer?.['errors'];
  if (Array.isArray(errors) && errors.length > 0) throw fromGraphqlErrors(errors, response.status);
  const data = asRecord(answer?.['data']);
  if (data === null) throw notDarkroom(response.status);
  // The document and its type were generated together from the schema that the server runs.
  return data as Result;
}

async function post(deps: HttpDeps, body: string): Promise<Response> {
  try {
    return await deps.fetch(deps.api, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json',
        authorization: `Bearer ${deps.apiKey}`,
      },
      body,
      signal: AbortSignal.timeout(deps.requestTimeoutMs),
    });
  } catch (error) {
    throw unreachable(deps.api, error);
  }
}

async function parse(response: Response): Promise<unknown> {
  const text = await response.text().catch((error: unknown) => {
    throw unreachable(response.url, error);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notDarkroom(response.status, error);
  }
}

/** The error for a call that got no answer. */
export function unreachable(url: string, cause: unknown): DarkroomError {
  // Where and not what: a signed URL's query is a secret.
  return new DarkroomError(
    'UNREACHABLE',
    `No answer from ${originOf(url)}. Is it the right address, and is it up?`,
    {
      cause,
    },
  );
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'the API';
}

function notDarkroom(status: number, cause?: unknown): DarkroomError {
  return new DarkroomError(
    'BAD_ANSWER',
    `The answer (HTTP ${status}) is not a GraphQL answer. Is the address that of Darkroom's API?`,
    { status, cause },
  );
}

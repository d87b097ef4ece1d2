import { AsyncLocalStorage } from 'node:async_hooks';
import type { ApolloServerPlugin } from '@apollo/server';
import { ApolloServer } from '@apollo/server';
import {
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { GraphQLSchema } from 'graphql';
import { GraphQLError } from 'graphql';
import type { Logger } from 'pino';
import type { Actor } from '../../domains/tenancy/index.ts';
import { HttpError } from '../../platform/http/index.ts';
import type { Context, Services } from '../context.ts';
import type { Mask } from '../errors/mask.ts';
import { createLoaders } from '../loaders/loaders.ts';
import type { Guard } from './guard.ts';

export const GRAPHQL_PATH = '/graphql';

export interface HttpDoorDeps {
  readonly schema: GraphQLSchema;
  readonly guard: Guard;
  readonly mask: Mask;
  readonly services: Services;
  readonly logger: Logger;
}

/** Serves queries and mutations at `/graphql`. The caller stops what it returns after the server has closed. */
export async function openHttpDoor(http: FastifyInstance, deps: HttpDoorDeps): Promise<AsyncDisposable> {
  // Apollo formats errors without saying whose they are.
  const requestIds = new AsyncLocalStorage<string>();
  const apollo = createApollo(deps, () => requestIds.getStore() ?? '');
  await apollo.start();

  const actors = new WeakMap<object, Actor>();
  const handler = fastifyApolloHandler(apollo, {
    context: async (request, reply) => {
      const actor = actors.get(request);
      if (!actor) throw new Error('A request reached GraphQL without an actor.');
      const loaders = createLoaders(actor, deps.services);
      return { actor, services: deps.services, loaders, requestId: request.id, signal: signalOf(reply) };
    },
  });
  http.route({
    method: ['GET', 'POST'],
    url: GRAPHQL_PATH,
    // Before the body is read: a stranger gets us to parse nothing.
    onRequest: async (request) => {
      actors.set(request, await deps.services.access.authenticate(request.headers.authorization ?? null));
    },
    preHandler: (request, _reply, done) => requestIds.run(request.id, done),
    handler,
  });
  http.route({
    method: ['DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'PUT', 'TRACE'],
    url: GRAPHQL_PATH,
    // Before a body is read, and before the handler, which is never reached.
    onRequest: async (_request, reply) => {
      reply.header('allow', 'GET, POST');
      throw new HttpError(
        405,
        'METHOD_NOT_ALLOWED',
        'Send queries and mutations by POST, or a query by GET.',
      );
    },
    handler: () => undefined,
  });
  return { [Symbol.asyncDispose]: () => apollo.stop() };
}

function createApollo(
  { schema, guard, mask, logger }: HttpDoorDeps,
  requestId: () => string,
): ApolloServer<Context> {
  return new ApolloServer<Context>({
    schema,
    // The guard's rule decides, at both doors; Apollo's own would speak of Apollo's settings.
    introspection: true,
    validationRules: [...guard.rules],
    parseOptions: guard.parseOptions,
    validationOptions: guard.validationOptions,
    executionOptions: guard.executionOptions,
    formatError: (_formatted, error) => mask(error, requestId()),
    includeStacktraceInErrorResponses: false,
    hideSchemaDetailsFromClientErrors: true,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    nodeEnv: 'production',
    logger: logger.child({ part: 'apollo' }),
    plugins: [
      refusals(guard),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
    ],
  });
}

function refusals(guard: Guard): ApolloServerPlugin<Context> {
  return {
    requestDidStart: async () => ({
      didResolveOperation: async ({ operation, request }) => {
        const refusal = guard.refuse('HTTP', operation ?? null, request.variables);
        if (!refusal) return;
        throw new GraphQLError(refusal.message, {
          extensions: { ...refusal.extensions, http: { status: 400 } },
        });
      },
    }),
  };
}

/** Fires when the connection of the answer is closed, also when the answer is complete: then nobody listens. */
function signalOf(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
